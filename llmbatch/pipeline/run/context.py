"""The values that the phases of one run share."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from llmbatch.core import clock
from llmbatch.core.clock import Moment
from llmbatch.core.outcomes import Usage
from llmbatch.job.engine import EngineSpec
from llmbatch.pipeline.monitoring import prometheus
from llmbatch.pipeline.monitoring.cost_so_far import RunCost
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.monitoring.resources import Meter
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.counters import Timings
from llmbatch.pipeline.run.device_hold import DeviceHold
from llmbatch.pipeline.run.engine_factory import EngineFactory
from llmbatch.pipeline.run.forecast_seam import MakeForecaster
from llmbatch.pipeline.run.gold_rows import GoldRows
from llmbatch.pipeline.run.limits import NOTHING_SPENT, RunLimits, Spent
from llmbatch.pipeline.run.series import RunSeries
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.store.live_copy import CopyService


@dataclass
class Context:
    """One run: its job and options, the objects that it works with, and those that show it.

    `started` and `began` (clock.seconds()) are set when the job is held; what follows from them is
    made when first asked for. `copies` of the store are made for readers while it is open. `gold`:
    the rows that run first and decide on the others, if there are such. `series`: the runs of the
    process, where there are several. `engine_specs`: of the engines of all stages; `devices`:
    those that the run has alone.
    """

    job: ReadyJob
    engines: EngineFactory
    observer: Observer
    stop: StopRequest
    fresh: bool
    deadline: float
    forecaster: MakeForecaster
    sample_size: int | None
    timings: Timings = field(default_factory=Timings)
    started: Moment = field(default_factory=clock.moment)
    began: float = 0.0
    begun: bool = False
    copies: CopyService | None = None
    gold: GoldRows | None = None
    spent: Spent = NOTHING_SPENT
    series: RunSeries | None = None
    engine_specs: Sequence[EngineSpec] = ()
    devices: DeviceHold = field(default_factory=DeviceHold)

    def enter(self, job: ReadyJob, engines: EngineFactory) -> None:
        """Begin another run of the process, with a job and engines of its own: what it counts, and
        what is shown of it, begins anew."""
        self.job, self.engines, self.fresh = job, engines, False
        self.timings = Timings()
        self._begin_anew(clock.moment(), clock.seconds())

    def waited(self, seconds: float) -> None:
        """Leave a wait out of the run, so that it is no part of its time and its cost."""
        self._begin_anew(self.started.earlier(-seconds), self.began + seconds)

    def _begin_anew(self, started: Moment, began: float) -> None:
        self.meter.end()
        shown = self.status.kept
        self.started, self.began = started, began
        for name in ("run_cost", "meter", "status", "limits"):
            self.__dict__.pop(name, None)
        self.status.note(**shown)
        self.meter.begin(self.status.beat)

    def spend(self, usage: Usage) -> None:
        """Count what the run has taken of the limits, before another run follows."""
        money = self.run_cost.so_far(usage) or 0.0
        self.spent = Spent(self.spent.requests + self.limits.sent, self.spent.money + money)

    @cached_property
    def run_cost(self) -> RunCost:
        return RunCost(self.job.spec.cost, self.began, self.job.spec.devices)

    @cached_property
    def meter(self) -> Meter:
        return Meter(self.job.spec.engine.devices)

    @cached_property
    def status(self) -> StatusFile:
        metrics = prometheus.metrics_file(
            self.job.spec, self.job.paths, socket.gethostname(), self.observer.phase
        )
        return StatusFile(self.job.paths, self.run_cost, self.meter, metrics, self.started)

    @cached_property
    def limits(self) -> RunLimits:
        return RunLimits(self.job.spec, self.stop, self.began, self.deadline, self.spent)

    def phase(self, name: str) -> None:
        """Show what the run does now."""
        self.observer.phase(name)
        self.status.phase(name)

    def show_end(self, reason: str, code: int, ended: Moment | None = None) -> None:
        """Show that the run is over, once. `ended`: the time in the store; now, where it has
        none."""
        if not self.status.ended:
            self.meter.end()
            self.status.end(ended or clock.moment(), reason, int(code))
