"""The seam for a forecaster, whose forecast a run stores beside its results."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from llmbatch.engines.base import Engine
from llmbatch.engines.info import EngineInfo
from llmbatch.job.spec import JobSpec
from llmbatch.store.database import Database


class RunForecaster(Protocol):
    """Works beside a run, from before its first engine until after its last one."""

    def begin(self) -> None:
        """Start reading; called before the engine's thread is started."""

    def ready(self, info: EngineInfo) -> None:
        """Take what the first engine reports, now that it has started."""

    def take(self) -> Mapping[str, Any] | None:
        """The forecast as the store keeps it, once it is made; None before that and after the first
        call that returned it."""

    def wait(self, seconds: float) -> None:
        """Wait until the forecast is made, for at most `seconds`."""

    def end(self) -> None:
        """Stop, and drop a forecast that is not made yet."""


MakeForecaster = Callable[[Database, JobSpec, Sequence[int], Engine], RunForecaster]
"""Makes the forecaster of a run from its store, its spec, the positions of its requests in the
plan, and an engine that is not started."""


class NoForecaster:
    """The forecaster of a run without forecasts."""

    def __init__(
        self, db: Database, spec: JobSpec, positions: Sequence[int], engine: Engine
    ) -> None:
        pass

    def begin(self) -> None:
        pass

    def ready(self, info: EngineInfo) -> None:
        pass

    def take(self) -> Mapping[str, Any] | None:
        return None

    def wait(self, seconds: float) -> None:
        pass

    def end(self) -> None:
        pass
