"""Replicas on this machine: `--replicas`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llmbatch.core.records import Constraint, Sampling
from llmbatch.engines.base import Engine, KnowsModel
from llmbatch.engines.checks_device import check_device
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas import placement
from llmbatch.engines.replicas.child import Load
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.fleet import Fleet
from llmbatch.engines.replicas.placement import Place
from llmbatch.engines.replicas.process import ProcessTransport

Factory = Callable[[EngineConfig], Engine]


class LocalFleet(Fleet):
    """Processes of this machine. That there are devices for all of them is part of the check: a job
    may be planned elsewhere."""

    def __init__(
        self, prototype: Engine, config: EngineConfig, transport: ProcessTransport
    ) -> None:
        assert config.replicas is not None
        known = transport.known_places()
        count = config.replicas if known is None else ReplicaCount(len(known), len(known))
        super().__init__(prototype, config, transport, count)
        self._places = transport.places

    def check_device(self) -> None:
        check_device(self._prototype)

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self._places()
        super().check(sampling, constraint)


def create(
    load: Load, name: str, factory: Factory, config: EngineConfig, *, is_ours: bool
) -> LocalFleet:
    """A fleet of the engine that `factory` makes, in this process for questions, and that `load`
    finds by its name in others, for work. Raises UsageError as `factory` does."""
    wished = config.replicas
    assert wished is not None
    single = replace(config, replicas=None)
    prototype = factory(single)

    def places() -> Sequence[Place]:
        device = prototype.device() if isinstance(prototype, KnowsModel) else None
        return placement.find(wished, config.options, device, is_ours=is_ours)

    return LocalFleet(prototype, config, ProcessTransport(load, name, single, places))
