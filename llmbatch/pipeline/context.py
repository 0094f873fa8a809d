"""What the phases of one run share."""

import socket
from dataclasses import dataclass, field
from functools import cached_property

from llmbatch.core import clock
from llmbatch.core.clock import Moment
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import metrics
from llmbatch.pipeline.bill import Bill
from llmbatch.pipeline.engines import Engines
from llmbatch.pipeline.limits import Limits
from llmbatch.pipeline.meter import Meter
from llmbatch.pipeline.paths import JobPaths
from llmbatch.pipeline.progress import Observer
from llmbatch.pipeline.status import StatusFile
from llmbatch.pipeline.stops import Stops
from llmbatch.pipeline.work import Timings


@dataclass
class Context:
    """One run: what it was asked for, what it works with, and what shows it.

    `started` and `began` (clock.seconds()) are set when the job is held; what follows from them is
    made when first asked for.
    """

    spec: JobSpec
    job: JobPaths
    engines: Engines
    observer: Observer
    stops: Stops
    fresh: bool
    deadline: float
    sample: int | None = None
    timings: Timings = field(default_factory=Timings)
    started: Moment = field(default_factory=clock.moment)
    began: float = 0.0
    begun: bool = False

    @cached_property
    def bill(self) -> Bill:
        return Bill(self.spec.cost, self.began, self.spec.devices)

    @cached_property
    def meter(self) -> Meter:
        return Meter(self.spec.engine.devices)

    @cached_property
    def status(self) -> StatusFile:
        told = metrics.of_spec(self.spec, socket.gethostname(), self.observer.phase)
        return StatusFile(self.job, self.bill, self.meter, told, self.started)

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.spec, self.stops, self.began, self.deadline)

    def tell_end(self, reason: str, code: int, ended: Moment | None = None) -> None:
        """Show that the run is over, unless that was told already. `ended`: when, as the store
        has it; now, where it has not."""
        if not self.status.ended:
            self.meter.end()
            self.status.end(ended or clock.moment(), reason, int(code))
