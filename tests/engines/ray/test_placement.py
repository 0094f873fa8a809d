from typing import Any

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.engines.ray.placement import Place, Placement
from llmbatch.engines.replicas.count import ReplicaCount


def node(
    name: str, cpus: float = 8, gpus: float = 0, *, alive: bool = True, free: float | None = None
) -> dict[str, Any]:
    has = {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
    left = {} if free is None else {"Free": {"CPU": free}}
    return {"NodeID": name, "NodeManagerAddress": name, "Alive": alive, "Resources": has} | left


def placement(count: str, *nodes: dict[str, Any], world: int = 1) -> Placement:
    made = Placement(world, ReplicaCount.parse(count))
    made.update(nodes)
    return made


def test_cores_of_a_node_are_divided_among_its_replicas() -> None:
    made = placement("4", node("a"), node("b"))
    assert [made.take(number) for number in range(4)] == [
        Place(cpus=4, node="a", share=0, shares=2),
        Place(cpus=4, node="b", share=0, shares=2),
        Place(cpus=4, node="a", share=1, shares=2),
        Place(cpus=4, node="b", share=1, shares=2),
    ]
    assert made.capacity() == 4


def test_a_node_whose_cores_others_use_is_taken_last() -> None:
    made = placement("4", node("a", free=2), node("b"))
    assert [made.take(number).node for number in range(4)] == ["b", "b", "a", "a"]


def test_auto_is_one_replica_for_each_node_with_cores() -> None:
    made = placement("auto", node("a"), node("head", cpus=0), node("dead", alive=False))
    assert made.capacity() == 1
    assert made.take(0) == Place(cpus=8)


def test_nodes_that_join_and_leave_change_the_room() -> None:
    made = placement("1..3", node("a"))
    assert (made.take(0), made.capacity()) == (Place(cpus=8), 1)
    made.update([node("a"), node("b")])
    assert (made.take(1), made.capacity()) == (Place(cpus=8), 2)
    made.update([node("a")])
    assert made.capacity() == 1


def test_on_nodes_of_other_sizes_each_replica_has_one_of_its_own() -> None:
    made = placement("2", node("a"), node("b", cpus=16))
    assert [made.take(number) for number in range(2)] == [
        Place(cpus=8, node="a"),
        Place(cpus=16, node="b"),
    ]


def test_a_replica_that_comes_again_gets_the_place_that_it_left() -> None:
    made = placement("2", node("a", cpus=2))
    places = [made.take(0), made.take(1)]
    assert made.take(0) == places[0]
    made.give_back(1)
    assert made.take(2) == places[1]


def test_replicas_on_gpus_go_where_ray_has_room() -> None:
    made = placement("auto", node("a", gpus=4), node("b", gpus=3), node("cpus"), world=2)
    assert made.capacity() == 3
    assert {made.take(number) for number in range(3)} == {Place(gpus=2)}


def test_a_replica_larger_than_a_node_gets_a_group() -> None:
    made = placement("1", node("a", gpus=2), node("b", gpus=2), world=4)
    assert (made.capacity(), made.take(0)) == (1, Place(bundles=4))


@pytest.mark.parametrize(
    ("nodes", "world", "needs"),
    [
        ([node("a", cpus=1)], 1, "needs 1 CPU (a: 1 CPU, 0 GPU; 1 replica placed)"),
        ([node("a", gpus=1)], 1, "needs 1 GPU (a: 8 CPU, 1 GPU; 1 replica placed)"),
        ([], 1, "needs 1 CPU (no living node; 0 replicas placed)"),
        ([node("a", gpus=1)], 2, "needs 2 GPUs (a: 8 CPU, 1 GPU; 0 replicas placed)"),
    ],
)
def test_no_room_names_what_is_needed_and_what_is_there(
    nodes: list[dict[str, Any]], world: int, needs: str
) -> None:
    made = placement("2", *nodes, world=world)
    with pytest.raises(EngineError) as caught:
        for number in range(2):
            made.take(number)
    assert str(caught.value).endswith(needs)
