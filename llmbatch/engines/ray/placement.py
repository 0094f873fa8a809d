"""The places in a cluster that have room for replicas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.core.units import count
from llmbatch.engines.replicas.count import ReplicaCount


@dataclass(frozen=True, slots=True)
class Node:
    """A living node."""

    id: str
    name: str
    cpus: float
    gpus: float
    free: float
    """CPUs that no one uses."""

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> "Node":
        """From an entry of `ray.nodes()`, with what is free there as `Free`, if that is known."""
        has = listed["Resources"]
        free = listed.get("Free", has)
        name = listed["NodeManagerAddress"]
        return cls(listed["NodeID"], name, has.get("CPU", 0), has.get("GPU", 0), free.get("CPU", 0))


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one replica: `gpus` of a node that Ray chooses; or `bundles`, one for each GPU, over
    several nodes; or a share of the cores of one `node`, number `share` of `shares`."""

    cpus: float = 1
    gpus: int = 0
    bundles: int = 0
    node: str | None = None
    share: int = 0
    shares: int = 1

    @property
    def needs(self) -> str:
        """In words."""
        if self.bundles:
            return f"{count(self.bundles, 'GPU')} over several nodes"
        return count(self.gpus, "GPU") if self.gpus else f"{self.cpus:g} CPU"


class Placement:
    """Chooses places for replicas of `world` devices each."""

    def __init__(self, world: int, wanted: ReplicaCount) -> None:
        self._world = world
        self._wanted = wanted
        self._nodes: list[Node] = []
        self._shares = 0
        self._taken: dict[int, Place] = {}

    def update(self, listed: Sequence[Mapping[str, Any]]) -> None:
        """Know the nodes as Ray lists them now."""
        alive = [Node.of(each) for each in listed if each["Alive"]]
        self._nodes = sorted(alive, key=lambda node: node.id)
        if not self._shares and self._with_cores():
            # It stays so for the run: cores that are in use cannot be divided anew.
            least = self._wanted.least if self._wanted.most is not None else 1
            self._shares = ceil(least / len(self._with_cores()))

    def capacity(self) -> int:
        """The number of replicas that all nodes together have room for."""
        if not self._has_gpus():
            return sum(self._shares_of(node) for node in self._with_cores())
        whole = sum(floor(node.gpus) // self._world for node in self._nodes)
        return whole or floor(sum(node.gpus for node in self._nodes)) // self._world

    def take(self, number: int) -> Place:
        """A place for replica `number`. Raises EngineError where there is none."""
        self.give_back(number)
        place = self._on_gpus() if self._has_gpus() else self._on_cores()
        self._taken[number] = place
        return place

    def give_back(self, number: int) -> None:
        """Its place is free for another one."""
        self._taken.pop(number, None)

    def _has_gpus(self) -> bool:
        return any(node.gpus >= 1 for node in self._nodes)

    def _with_cores(self) -> list[Node]:
        return [node for node in self._nodes if node.cpus >= 1]

    def _shares_of(self, node: Node) -> int:
        return min(self._shares, floor(node.cpus))

    def _on_gpus(self) -> Place:
        if len(self._taken) >= self.capacity():
            raise self._no_room(count(self._world, "GPU"))
        if any(node.gpus >= self._world for node in self._nodes):
            return Place(gpus=self._world)
        return Place(bundles=self._world)

    def _on_cores(self) -> Place:
        if len(self._taken) >= self.capacity():
            raise self._no_room("1 CPU")
        taken = {(place.node, place.share) for place in self._taken.values()}
        left = [
            (share, node)
            for node in self._with_cores()
            for share in range(self._shares_of(node))
            if (node.id, share) not in taken
        ]
        share, node = min(left, key=self._rank)
        shares, cpus = self._shares_of(node), self._cpus_of(node)
        if shares == 1 and len({each.cpus for each in self._with_cores()}) == 1:
            # Each node is as good, and Ray knows sooner than we which of them is free.
            return Place(cpus)
        return Place(cpus, node=node.id, share=share, shares=shares)

    def _rank(self, place: tuple[int, Node]) -> tuple[bool, int, str]:
        """First where the cores are free now, and on ever other nodes."""
        share, node = place
        return node.free < self._cpus_of(node), share, node.id

    def _cpus_of(self, node: Node) -> int:
        return floor(node.cpus) // self._shares_of(node)

    def _no_room(self, needed: str) -> EngineError:
        has = [f"{node.name}: {node.cpus:g} CPU, {node.gpus:g} GPU" for node in self._nodes]
        return EngineError(
            f"the Ray cluster has no room for another replica, which needs {needed} "
            f"({', '.join(has) or 'no living node'}; {count(len(self._taken), 'replica')} placed)"
        )
