"""The forecaster that a run may be given, to note beside its results what was expected of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from llmbatch.engines.base import Engine
from llmbatch.engines.info import EngineInfo
from llmbatch.job.spec import JobSpec
from llmbatch.store.database import Database


class RunForecaster(Protocol):
    """Works beside a run: begun before its first engine, ended after its last one."""

    def begin(self) -> None:
        """Start to read; called before the engine's thread is started."""

    def ready(self, info: EngineInfo) -> None:
        """Take what the first engine reports, now that it has started."""

    def take(self) -> Mapping[str, Any] | None:
        """The forecast as the store keeps it: once, as soon as it is made."""

    def wait(self, seconds: float) -> None:
        """Let it finish, for so many seconds at most."""

    def end(self) -> None:
        """Give up what is not finished."""


MakeForecaster = Callable[[Database, JobSpec, Sequence[int], Engine], RunForecaster]
"""Makes the forecaster of the requests at these positions, for an engine that is not started."""


class NoForecaster:
    """Of a run that is given none: expects nothing."""

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
