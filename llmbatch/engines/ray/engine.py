"""Engines on a Ray cluster: vLLM, or one from outside the package (`ray:MODULE:FACTORY`)."""

from dataclasses import replace

from llmbatch.engines import parallel_sizes
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.ray.placement import Placement
from llmbatch.engines.ray.transport import Load, RayTransport
from llmbatch.engines.replicas.count import ReplicaCount
from llmbatch.engines.replicas.fleet import Fleet

AUTO = ReplicaCount(1, None)
"""As many as the cluster has room for."""


class RayFleet(Fleet):
    """Replicas that are actors of a cluster."""

    def __init__(
        self, prototype: Engine, config: EngineConfig, transport: RayTransport, wished: ReplicaCount
    ) -> None:
        super().__init__(prototype, config, transport, wished)
        self._cluster = transport

    def describe(self) -> EngineInfo:
        info = super().describe()
        return replace(info, settings={**info.settings, **self._cluster.describe()})


def create(load: Load, engine: str, config: EngineConfig) -> RayFleet:
    """Replicas of the engine that `load` finds by its name. Raises UsageError for an option or
    address that cannot be used; connects to no cluster."""
    wished = config.replicas or AUTO
    one = replace(config, replicas=None, address=None)
    prototype = load(engine)(one)
    world = parallel_sizes.product(config.options)
    placement = Placement(world, wished)
    transport = RayTransport(
        load, engine, replace(config, replicas=None), prototype.identity, world, placement
    )
    return RayFleet(prototype, config, transport, wished)
