"""The runs of one process, one after the other: what they share, and what ends all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from llmbatch.core.errors import HungEngineError
from llmbatch.engines.base import Engine
from llmbatch.pipeline.run.device_hold import DeviceHold
from llmbatch.pipeline.run.kept_engine import EngineKeeper, EngineUse
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest


@dataclass
class RunSeries:
    """`devices`: those that the runs have alone. `job` and `deadline` (clock.seconds()) are those
    of the job whose turn it is; `later`: the engines that the jobs after it may want; `stop`: it
    gets the signal that a run has got."""

    keeper: EngineKeeper = field(default_factory=EngineKeeper)
    devices: DeviceHold = field(default_factory=DeviceHold)
    stop: StopRequest = field(default_factory=StopRequest)
    job: str = ""
    deadline: float = NEVER
    later: Iterable[EngineUse] = ()
    is_hung: bool = False
    """True once an engine hangs: only the end of the process frees its device."""

    def engine(self, use: EngineUse, make: Callable[[], Engine]) -> Engine:
        """An engine for the job whose turn it is: the one that runs, if it answers as a new one
        does."""
        return self.keeper.lease(use, make, self.job)

    def engine_is_free(self) -> None:
        """A run needs its engine no more: it is ended, unless a later job may want it. Raises
        HungEngineError if it does not end."""
        try:
            self.keeper.keep_for(self.later)
        except HungEngineError:
            self.is_hung = True
            raise
        if not self.keeper.holds_engine:
            self.devices.release()

    def let_go(self) -> None:
        """Hold nothing that another process could wait for."""
        self.keeper.close()
        self.devices.release()

    def close(self) -> None:
        """End the engine, unless it is at work after a signal: then it ends with the process."""
        if not (self.stop.signal and self.keeper.is_at_work):
            self.let_go()
