"""The way to replicas that are actors of a Ray cluster (see `engines/replicas/link`)."""

import contextlib
import os
import pickle
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from llmbatch.core import clock
from llmbatch.core.errors import EngineError
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.ray import actor
from llmbatch.engines.ray.cluster import Cluster, bounded
from llmbatch.engines.ray.placement import Place, Placement
from llmbatch.engines.replicas.link import Link, ReplicaDiedError

PLACED_SECONDS = 60.0
"""For which a replica may wait for its place: others may use the cluster."""
_SENT = ("VLLM_", "HF_", "OMP_", "CUDA_MODULE_LOADING", "NCCL_")
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_GONE_SECONDS = 5.0


class ActorLink:
    """One replica in one incarnation: an actor that nothing starts again."""

    def __init__(self, ray: Any, made: Any, number: int, needs: str, task: bytes) -> None:
        self.name = f"actor of replica {number + 1}"
        self.number = number
        self._ray = ray
        self._actor = made
        self._needs = needs
        self._exchange = made.exchange.options(concurrency_group="exchange")
        self._pending: Any = None
        self._began = clock.seconds()
        self._is_gone = False
        self.ready: Callable[[ActorLink], object] = lambda link: None
        """Called in another thread when a reply has come, or none will."""
        # In the group of the exchanges, which it therefore precedes.
        self._placed = self._future(made.start.options(concurrency_group="exchange").remote(task))
        self._placed.add_done_callback(lambda done: self.ready(self))

    def send(self, call: bytes) -> None:
        self._check_place()
        try:
            self._pending = self._future(self._exchange.remote(call))
        except Exception as error:
            raise self._died(error) from error
        self._pending.add_done_callback(lambda done: self.ready(self))

    def receive(self) -> bytes:
        self._check_place()
        try:
            reply: bytes = self._pending.result(0)
        except Exception as error:
            raise self._died(error) from error
        self._pending = None
        return reply

    @property
    def is_answered(self) -> bool:
        """True if there is a reply to its call, or none will come."""
        if self._pending is None:
            return False
        return self._pending.done() or self._is_overdue() or self._failed_to_start() is not None

    def close(self, seconds: float) -> None:
        with contextlib.suppress(Exception):
            asked = self._actor.close.options(concurrency_group="control").remote(seconds)
            self._future(asked).result(seconds)
        self.kill()
        with contextlib.suppress(Exception):  # that of its end
            self._future(self._exchange.remote(b"")).result(_GONE_SECONDS)

    def kill(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            bounded(lambda: self._ray.kill(self._actor), _GONE_SECONDS)

    def _future(self, reference: Any) -> Any:
        """Its result with a time-out that holds: `ray.wait` has been seen to outlast its own."""
        return reference.future()

    def _failed_to_start(self) -> BaseException | None:
        error: BaseException | None = self._placed.exception(0) if self._placed.done() else None
        return error

    def _is_overdue(self) -> bool:
        return not self._placed.done() and clock.seconds() - self._began > PLACED_SECONDS

    def _check_place(self) -> None:
        """Know the node, once there is one. Raises ReplicaDiedError if none was found in time."""
        if self._is_overdue():
            has = self._ray.available_resources()
            raise ReplicaDiedError(
                f"the {self.name}: Ray had no place for it within {PLACED_SECONDS:.0f} s: it needs "
                f"{self._needs}, and free are {has.get('CPU', 0):g} CPU, {has.get('GPU', 0):g} GPU"
            )
        if not self._placed.done():
            return
        if error := self._placed.exception(0):
            raise self._died(error) from error
        node, process = self._placed.result(0)
        self.name = f"actor of replica {self.number + 1} ({node}, pid {process})"

    def _died(self, error: BaseException) -> ReplicaDiedError:
        return ReplicaDiedError(f"the {self.name} died: {_reason(error)}")


Load = Callable[[str], Callable[[EngineConfig], Engine]]


class RayTransport:
    """Makes actors. Connects with the first of them."""

    def __init__(
        self,
        load: Load,
        engine: str,
        config: EngineConfig,
        identity: Callable[[], dict[str, str]],
        world: int,
        placement: Placement,
    ) -> None:
        self._load = load
        self._engine = engine
        self._config = config
        self._identity = identity
        self._world = world
        self._placement = placement
        self._cluster = Cluster(config.address, config.log_path)
        self._is_open = False
        self._came: queue.SimpleQueue[ActorLink] = queue.SimpleQueue()
        self._groups: dict[int, Any] = {}
        self._closing = threading.Lock()

    def start(self, number: int) -> ActorLink:
        self._open()
        self._cluster.check()
        self._placement.update(self._cluster.nodes)
        self._let_go(number)
        place = self._placement.take(number)
        made = self._actor(number, place)
        link = ActorLink(self._cluster.ray, made, number, place.needs, self._task(place))
        link.ready = self._came.put
        return link

    def wait(self, links: Sequence[Link], seconds: float) -> list[Link]:
        until = clock.seconds() + seconds
        while True:
            self._cluster.check()
            while not self._came.empty():
                self._came.get_nowait()
            ready = [link for link in links if isinstance(link, ActorLink) and link.is_answered]
            left = until - clock.seconds()
            if ready or left <= 0:
                return list(ready)
            with contextlib.suppress(queue.Empty):
                self._came.get(timeout=min(left, 1.0))

    def capacity(self) -> int | None:
        self._open()
        self._placement.update(self._cluster.nodes)
        return self._placement.capacity()

    def describe(self) -> dict[str, Any]:
        """The cluster, as JSON values."""
        return self._cluster.describe() if self._is_open else {}

    def close(self) -> None:
        with self._closing:
            for number in list(self._groups):
                self._let_go(number)
            self._cluster.close()

    def _open(self) -> None:
        if not self._is_open:
            self._cluster.open()
            self._is_open = True

    def _actor(self, number: int, place: Place) -> Any:
        ray = self._cluster.ray
        options: dict[str, Any] = {
            "num_cpus": place.cpus,
            "num_gpus": place.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
            "concurrency_groups": actor.GROUPS,
        }
        if strategy := self._strategy(number, place):
            options["scheduling_strategy"] = strategy
        return ray.remote(**options)(actor.Replica).remote()

    def _strategy(self, number: int, place: Place) -> Any:
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import (
            NodeAffinitySchedulingStrategy,
            PlacementGroupSchedulingStrategy,
        )

        if place.node is not None:
            return NodeAffinitySchedulingStrategy(place.node, soft=False)
        if not place.bundles:
            return None
        first = {"GPU": 1, "CPU": place.cpus}
        group = placement_group([first, *[{"GPU": 1}] * (place.bundles - 1)], strategy="PACK")
        self._groups[number] = group
        # The engine's own workers are the actors that claim the GPUs of the group.
        return PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)

    def _let_go(self, number: int) -> None:
        """Remove the group of a former incarnation; what still ran in it ends with it."""
        if group := self._groups.pop(number, None):
            from ray.util.placement_group import remove_placement_group

            bounded(lambda: remove_placement_group(group), _GONE_SECONDS)

    def _task(self, place: Place) -> bytes:
        is_local = self._cluster.is_local
        cores = (place.share, place.shares) if place.shares > 1 else None
        task = actor.Task(
            self._load,
            self._engine,
            replace(self._config, options=self._options(place)),
            None if is_local else self._identity(),
            cores,
            {} if is_local else sent_variables(os.environ),
            is_local,
        )
        return pickle.dumps(task, pickle.HIGHEST_PROTOCOL)

    def _options(self, place: Place) -> dict[str, Any]:
        """Within a node vLLM's workers are its own processes, which end with it."""
        options = dict(self._config.options)
        if self._engine == "vllm" and self._world > 1:
            named = {name.replace("-", "_") for name in options}
            if "distributed_executor_backend" not in named:
                options["distributed_executor_backend"] = "ray" if place.bundles else "mp"
        return options


def sent_variables(environment: Any) -> dict[str, str]:
    """The variables that engines on other nodes are to have from here, none of them secret."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_SENT) and not any(word in name for word in _SECRET)
    }


def _reason(error: BaseException) -> str:
    """The line of Ray's text that says it, shortened."""
    if isinstance(error, EngineError):
        return str(error)
    if cause := getattr(error, "cause", None):  # what the actor's own code has raised
        return f"{type(cause).__name__}: {cause}"
    text = " ".join(str(error).split())
    for words in ("The actor is dead because", "The actor died because"):
        text = text.partition(words)[2].strip() or text
    text = text.partition(" Some common causes include")[0]
    return text[:300] or type(error).__name__
