"""What a run has done so far: outcomes judged, counted, and committed in groups."""

from dataclasses import asdict, dataclass, field, fields, replace

from llmbatch.core import clock
from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Outcome
from llmbatch.core.spec import RunSpec
from llmbatch.core.stop import FailureRate, FailureWatch
from llmbatch.engines.base import LOAD, Telemetry
from llmbatch.pipeline.feed import Ticket
from llmbatch.pipeline.judge import Judge
from llmbatch.pipeline.progress import Observer, Progress
from llmbatch.pipeline.stops import Stops
from llmbatch.store import runs
from llmbatch.store.database import Database
from llmbatch.store.runs import Attempt


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
    to_retry: int = 0
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


class Work:
    """Takes the outcomes of a run, whichever engine they came from."""

    def __init__(
        self,
        db: Database,
        run: int,
        spec: RunSpec,
        judge: Judge,
        tally: Tally,
        timings: Timings,
        observer: Observer,
        stops: Stops,
    ) -> None:
        self._db = db
        self._run = run
        self._spec = spec
        self._judge = judge
        self._observer = observer
        self._stops = stops
        self._settled: list[Attempt] = []
        self._checkpoints = 0
        self._committed_at = clock.seconds()
        # The counters of the engines that have ended, whose successors count from zero.
        self._past = Telemetry()
        self._watch = FailureWatch(FailureRate.parse(spec.fail_fast)) if spec.fail_fast else None
        self.tally = tally
        self.timings = timings

    def settle(self, outcome: Outcome, ticket: Ticket) -> str | None:
        """Judge an outcome and keep it for the next checkpoint. The kind of failure of a request
        that is to be tried again."""
        judged = self._judge(outcome)
        failed = isinstance(judged, Failed)
        again = isinstance(judged, Failed) and self._may_retry(judged.kind, ticket)
        self._count(judged, ticket, again=again)
        self._settled.append(_attempt(judged, ticket, again=again))
        reason = self._watch.saw(failed=failed) if self._watch else None
        if reason:
            self._stops.request(reason)
        return judged.kind if again and isinstance(judged, Failed) else None

    def _may_retry(self, kind: str, ticket: Ticket) -> bool:
        known = FAILURE_KINDS.get(kind)
        tries = ticket.tries.since_reopened + 1
        return known is not None and known.retryable and tries < self._spec.attempts

    def _count(self, judged: Outcome, ticket: Ticket, *, again: bool) -> None:
        tally = self.tally
        tally.prompt_tokens += judged.usage.prompt
        tally.output_tokens += judged.usage.output
        if again:
            tally.to_retry += 1
            return
        tally.rows_done += ticket.copies
        if isinstance(judged, Failed):
            tally.failed += ticket.copies

    def convict(self, ticket: Ticket, kind: str, message: str) -> None:
        """Make a request that brings the engine down a dead letter, and commit it."""
        failed = Failed(ticket.key, kind, message)
        self._count(failed, ticket, again=False)
        self._settled.append(_attempt(failed, ticket, again=False))
        self.commit(Telemetry())

    @property
    def is_full(self) -> bool:
        """Whether enough has settled for a checkpoint."""
        return len(self._settled) >= self._spec.checkpoint_rows

    def commit_if_due(self, telemetry: Telemetry) -> None:
        """Commit what has settled, if there is enough of it or it has waited long enough."""
        waited = clock.seconds() - self._committed_at
        if self.is_full or (self._settled and waited >= self._spec.checkpoint_seconds):
            self.commit(telemetry)
        elif not self._settled:
            # The interval counts from the first outcome that waits.
            self._committed_at = clock.seconds()

    def commit(self, telemetry: Telemetry) -> None:
        """One checkpoint of all that has settled, if anything has."""
        if not self._settled:
            return
        began = clock.seconds()
        self._checkpoints += 1
        counters = asdict(_sum(self._past, telemetry))
        runs.checkpoint(self._db, self._run, self._checkpoints, self._settled, counters)
        self._observer.event("checkpoint", number=self._checkpoints, attempts=len(self._settled))
        self._settled = []
        self._committed_at = clock.seconds()
        self.timings.checkpoint += self._committed_at - began

    def engine_ready(self, began: float) -> None:
        """Rates and intervals count from here when the first engine of a run is ready."""
        self._committed_at = clock.seconds()
        if self.timings.generate == 0:
            self.tally.began = began

    def engine_ended(self, telemetry: Telemetry) -> None:
        """Keep what an engine has counted in its life."""
        self._past = _sum(self._past, telemetry)


def _sum(past: Telemetry, now: Telemetry) -> Telemetry:
    """The counters of both; the load is that of `now`."""
    counters = [each.name for each in fields(Telemetry) if each.name not in LOAD]
    return replace(now, **{name: getattr(past, name) + getattr(now, name) for name in counters})


def _attempt(outcome: Outcome, ticket: Ticket, *, again: bool) -> Attempt:
    usage = outcome.usage
    number = ticket.tries.attempts + 1
    # An engine that counts oddly must not cost an answer.
    tokens = (usage.prompt, min(usage.cached, usage.prompt), usage.output)
    if isinstance(outcome, Completed):
        reason = outcome.finish_reason
        return Attempt(outcome.key, number, "answered", None, None, reason, outcome.text, *tokens)
    return Attempt(
        outcome.key,
        number,
        "retry" if again else "dead",
        outcome.kind,
        outcome.message,
        outcome.finish_reason,
        outcome.text,
        *tokens,
    )
