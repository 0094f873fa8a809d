"""The run loop: outcomes in, judged, committed in groups by count or time."""

from dataclasses import asdict, dataclass, field

from llmbatch.core import clock
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.core.spec import RunSpec
from llmbatch.pipeline.feed import Feed
from llmbatch.pipeline.judge import Judge
from llmbatch.pipeline.progress import Observer, Progress
from llmbatch.pipeline.pump import Done, Pump, Ready
from llmbatch.pipeline.status import StatusFile
from llmbatch.pipeline.stops import Stops
from llmbatch.store import runs
from llmbatch.store.database import Database
from llmbatch.store.runs import Attempt

# How long the loop waits for an event before it looks at the clock and the signals again.
_TICK = 0.2
# A second signal means "now": how long the engine gets to abort what is in flight.
_ABORT_GRACE = 5.0


@dataclass
class Timings:
    """Where the time of a run went, in seconds. Phases follow each other."""

    prepare: float = 0.0
    engine_start: float = 0.0
    generate: float = 0.0
    engine_stop: float = 0.0
    checkpoint: float = 0.0
    export: float = 0.0


@dataclass
class Tally:
    """Counts of the run so far; rows count every row that shares a request."""

    rows: int
    rows_reused: int
    rows_done: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    began: float = field(default_factory=clock.seconds)

    def progress(self, at: float) -> Progress:
        return Progress(
            self.rows,
            self.rows_done,
            self.rows_reused,
            self.failed,
            self.output_tokens,
            self.prompt_tokens,
            max(0.0, at - self.began),
        )


class Loop:
    """One pass of a run over its feed."""

    def __init__(
        self,
        db: Database,
        run: int,
        spec: RunSpec,
        feed: Feed,
        judge: Judge,
        tally: Tally,
        timings: Timings,
    ) -> None:
        self._db = db
        self._run = run
        self._spec = spec
        self._feed = feed
        self._judge = judge
        self._tally = tally
        self._timings = timings
        self._settled: list[Attempt] = []
        self._checkpoints = 0
        self._ready_at: float | None = None
        self._draining = False
        self._committed_at = clock.seconds()

    def drive(self, pump: Pump, stops: Stops, observer: Observer, status: StatusFile) -> bool:
        """Work until the engine is done; False if it had to be left behind.

        Raises EngineError when the engine did not start or is gone. Whatever has settled is
        committed first in every case.
        """
        observer.phase("starting the engine")
        status.phase("starting the engine")
        pump.start()
        began = clock.seconds()
        stops.watched = True
        try:
            return self._until_done(pump, stops, observer, status)
        finally:
            stops.watched = False
            self._measure(began, pump.drained_at)

    def _measure(self, began: float, drained_at: float | None) -> None:
        now = clock.seconds()
        if self._ready_at is None:
            self._timings.engine_start += now - began
        else:
            drained = max(self._ready_at, drained_at or now)
            self._timings.generate = drained - self._ready_at
            self._timings.engine_stop = now - drained

    def _until_done(self, pump: Pump, stops: Stops, observer: Observer, status: StatusFile) -> bool:
        while not isinstance(event := pump.next(_TICK), Done):
            if isinstance(event, Ready):
                self._ready(event, observer, status)
            elif event is not None:
                self._settle(event)
            self._commit_if_due(pump)
            # While the engine closes, rates stay what they were.
            self._tell(observer, status, pump.drained_at or clock.seconds())
            if stops.drain and not self._draining:
                self._draining = True
                observer.phase("stopping: finishing what is in flight; signal again to leave now")
                status.phase("stopping")
            # A stop while the engine still starts, or a second one, does not wait for it.
            if stops.at_once or (stops.drain and self._ready_at is None):
                return self._leave(pump)
        self._commit(pump)
        if event.error is not None:
            raise event.error
        return True

    def _ready(self, event: Ready, observer: Observer, status: StatusFile) -> None:
        self._timings.engine_start += (event.at - event.began).total_seconds()
        runs.engine_started(self._db, self._run, event.began, event.at, event.description)
        observer.phase("generating")
        status.phase("generating")
        self._ready_at = self._committed_at = self._tally.began = clock.seconds()

    def _leave(self, pump: Pump) -> bool:
        pump.abort()
        self._commit_waiting(pump)
        stopped = pump.join(_ABORT_GRACE)
        # The engine notices the abort at its next outcome, which counts, too.
        self._commit_waiting(pump)
        return stopped

    def _commit_waiting(self, pump: Pump) -> None:
        while isinstance(event := pump.next(0), Completed | Failed):
            self._settle(event)
        self._commit(pump)

    def _tell(self, observer: Observer, status: StatusFile, at: float) -> None:
        if self._ready_at is not None:
            progress = self._tally.progress(at)
            observer.progress(progress)
            status.progress(progress)

    def _settle(self, outcome: Outcome) -> None:
        judged = self._judge(outcome)
        rows = self._feed.rows_of(judged.key)
        self._tally.rows_done += rows
        self._tally.prompt_tokens += judged.usage.prompt
        self._tally.output_tokens += judged.usage.output
        if isinstance(judged, Failed):
            self._tally.failed += rows
        self._settled.append(_attempt(judged))

    def _commit_if_due(self, pump: Pump) -> None:
        waited = clock.seconds() - self._committed_at
        enough = len(self._settled) >= self._spec.checkpoint_rows
        if enough or (self._settled and waited >= self._spec.checkpoint_seconds):
            self._commit(pump)
        elif not self._settled:
            # The interval counts from the first outcome that waits.
            self._committed_at = clock.seconds()

    def _commit(self, pump: Pump) -> None:
        if not self._settled:
            return
        began = clock.seconds()
        self._checkpoints += 1
        telemetry = asdict(pump.telemetry())
        runs.checkpoint(self._db, self._run, self._checkpoints, self._settled, telemetry)
        self._settled = []
        self._committed_at = clock.seconds()
        self._timings.checkpoint += self._committed_at - began


def _attempt(outcome: Outcome) -> Attempt:
    usage = outcome.usage
    # An engine that counts oddly must not cost an answer.
    tokens = (usage.prompt, min(usage.cached, usage.prompt), usage.output)
    if isinstance(outcome, Completed):
        reason = outcome.finish_reason
        return Attempt(outcome.key, 1, "answered", None, None, reason, outcome.text, *tokens)
    return Attempt(
        outcome.key,
        1,
        "dead",
        outcome.kind,
        outcome.message,
        outcome.finish_reason,
        outcome.text,
        *tokens,
    )
