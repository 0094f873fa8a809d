"""Actors on real nodes, driven as the fleet drives them; and what remains when parts are killed."""

import itertools
import signal
from collections.abc import Iterator

import psutil
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.ray import transport as transports
from llmbatch.engines.ray.cluster import Cluster
from llmbatch.engines.ray.placement import Placement
from llmbatch.engines.ray.transport import ActorLink, RayTransport
from llmbatch.engines.registry import load
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.link import ReplicaDiedError
from llmbatch.engines.replicas.wire import Call, Reply, RequestWriter, read_outcome
from tests.engines.ray.two_nodes import CORES, TwoNodes

CONFIG = EngineConfig("scripted", {"answer": "echo"})


def over(nodes: TwoNodes, count: str, config: EngineConfig = CONFIG) -> RayTransport:
    config = EngineConfig(config.model, config.options, address=nodes.address)
    identity = {"model": "scripted", "variant": ""}
    placed = Placement(1, ReplicaCount.parse(count))
    return RayTransport(load, "tests.scripted_engine:create", config, lambda: identity, 1, placed)


@pytest.fixture
def transport(two_nodes: TwoNodes) -> Iterator[RayTransport]:
    made = over(two_nodes, "2")
    yield made
    made.close()


class Driver:
    """Calls one replica until it has what is asked for."""

    def __init__(self, transport: RayTransport, link: ActorLink) -> None:
        self.transport = transport
        self.link = link
        self._numbers = itertools.count(1)
        self._writer = RequestWriter()

    def call(self, *texts: str) -> Reply:
        requests = [Request(text, (Message("user", text),), Sampling(), None) for text in texts]
        written = [self._writer.write(request) for request in requests]
        call = Call(next(self._numbers), written, self._writer.take_parts())
        self.link.send(call.to_bytes())
        deadline = clock.seconds() + 60
        while not self.transport.wait([self.link], 1.0):
            assert clock.seconds() < deadline
        return Reply.from_bytes(self.link.receive())

    def until_ready(self) -> "Driver":
        while (reply := self.call()).state == "starting":
            continue
        assert reply.state == "ready", reply.error
        return self

    def answers(self, *texts: str) -> set[str]:
        reply, found = self.call(*texts), set[str]()
        while True:
            outcomes = [read_outcome(each) for each in reply.outcomes]
            found |= {one.text for one in outcomes if isinstance(one, Completed)}
            if len(found) >= len(texts):
                return found
            reply = self.call()

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(int(self.link.name.rpartition("pid ")[2].rstrip(")")))


class Replica:
    """An actor of somebody else."""

    def exists(self) -> bool:
        return True


def test_replicas_on_two_nodes_answer(transport: RayTransport) -> None:
    drivers = [Driver(transport, transport.start(number)).until_ready() for number in range(2)]
    assert drivers[0].answers("a", "b") == {"a", "b"}
    assert drivers[1].answers("c") == {"c"}
    parents = {driver.process.ppid() for driver in drivers}
    assert (len(parents), transport.capacity()) == (2, 2)
    assert transport.describe()["ray_nodes"] == 2
    processes = [driver.process for driver in drivers]
    for driver in drivers:
        driver.link.close(5)
    assert psutil.wait_procs(processes, timeout=5)[1] == []


def test_a_killed_actor_is_known_at_once_and_another_takes_its_place(
    transport: RayTransport,
) -> None:
    driver = Driver(transport, transport.start(0)).until_ready()
    name = driver.link.name
    driver.process.send_signal(signal.SIGKILL)
    began = clock.seconds()
    with pytest.raises(ReplicaDiedError) as caught:
        while clock.seconds() < began + 10:
            driver.call("lost")
    assert clock.seconds() - began < 3
    assert str(caught.value).startswith(f"the {name} died: ")
    assert "\n" not in str(caught.value)
    driver.link.kill()
    again = Driver(transport, transport.start(0)).until_ready()
    assert again.answers("found") == {"found"}
    again.link.close(5)


def test_an_engine_that_does_not_start_is_a_line(two_nodes: TwoNodes) -> None:
    refuses = EngineConfig("scripted", {"start_error": "no memory"})
    made = over(two_nodes, "1", refuses)
    driver = Driver(made, made.start(0))
    with pytest.raises(AssertionError, match="no memory"):
        driver.until_ready()
    made.close()


def test_another_model_on_the_node_is_refused(two_nodes: TwoNodes) -> None:
    made = over(two_nodes, "1", EngineConfig("scripted", {"variant": "other"}))
    driver = Driver(made, made.start(0))
    with pytest.raises(AssertionError, match=r"the model 'scripted' on node .* is not the"):
        driver.until_ready()
    made.close()


def test_no_place_is_told_with_what_is_there(
    transport: RayTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "PLACED_SECONDS", 1.0)
    assert transport.capacity() == 2
    ray = transport._cluster.ray
    others = [ray.remote(num_cpus=CORES)(Replica).remote() for _ in range(2)]
    ray.get([other.exists.remote() for other in others], timeout=20)
    late = Driver(transport, transport.start(0))
    with pytest.raises(ReplicaDiedError, match=r"no place .* it needs 2 CPU, and free are 0 CPU"):
        late.call()
    late.link.kill()
    transport.start(1).kill()
    with pytest.raises(EngineError, match="no room for another replica"):
        transport.start(2)


def test_a_raylet_that_is_killed_takes_its_engine_along(
    two_nodes: TwoNodes, transport: RayTransport
) -> None:
    drivers = [Driver(transport, transport.start(number)).until_ready() for number in range(2)]
    workers = two_nodes.kill_second()
    try:
        gone = [driver for driver in drivers if driver.process in workers]
        assert len(gone) == 1
        engine = gone[0].process
        psutil.wait_procs([engine], timeout=5)
        assert not engine.is_running()
        with pytest.raises(ReplicaDiedError):
            while True:
                gone[0].call("lost")
        left = next(driver for driver in drivers if driver is not gone[0])
        assert left.answers("a") == {"a"}
        left.link.close(5)
    finally:
        two_nodes.mend()


def test_nodes_that_join_have_room(two_nodes: TwoNodes) -> None:
    made = over(two_nodes, "1..4")
    assert made.capacity() == 2
    node = two_nodes.join()
    deadline = clock.seconds() + 20
    while made.capacity() != 3 and clock.seconds() < deadline:
        made.wait([], 0.2)
    third = [Driver(made, made.start(number)) for number in range(3)][2].until_ready()
    assert third.answers("a") == {"a"}
    two_nodes.leave(node)
    while made.capacity() != 2 and clock.seconds() < deadline:
        made.wait([], 0.2)
    assert made.capacity() == 2
    made.close()


def test_a_cluster_of_another_version_is_a_line(two_nodes: TwoNodes) -> None:
    import ray

    cluster = Cluster(two_nodes.address, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "__version__", "2.0.0")
        with pytest.raises(UsageError, match=r"--ray-address .*: Version mismatch") as caught:
            cluster.open()
    assert "\n" not in str(caught.value)
    cluster.close()
