"""The gold rows of a run: they run first, and where their answers are not good enough the rest does
not run."""

from collections.abc import Callable

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import request_file, sample
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.quality import gold_gate
from llmbatch.quality.gold_gate import GoldTaken, GoldVerdict
from llmbatch.store import gold_first
from llmbatch.store.database import Database
from llmbatch.store.gold_first import GoldStates
from llmbatch.store.results import Counts

FAILED = "the gold set failed"
# With fewer different ones among the gold rows, their answers say less than so many rows would.
_MOSTLY_DIFFERENT = 0.9


class GoldRows:
    """Asks the store, each time: which gold rows have to run before the others, and whether those
    that are settled reach the least figures."""

    def __init__(
        self, db: Database, spec: JobSpec, stop: StopRequest, say: Callable[[str], None]
    ) -> None:
        """`say`: shows a line. Raises UsageError for a job without a gold row, or with too few."""
        self._db = db
        self._spec = spec
        self._stop = stop
        self._say = say
        self.taken = gold_gate.take(db, spec)
        # Those that were asked for before the first round.
        self._ahead: list[int] | None = None
        self.verdict: GoldVerdict | None = None
        """The last judgement."""

    def may_begin(self) -> bool:
        """False if enough gold rows have run before, and let no other one run."""
        self._ahead = self._missing()
        return bool(self._ahead) or self.hold()

    def positions(self) -> list[int]:
        """The requests that have to run before the others. Empty once enough rows are settled."""
        ahead, self._ahead = self._ahead, None
        return self._missing() if ahead is None else ahead

    def _missing(self) -> list[int]:
        """The requests of pending gold rows, spread over all of these: as many as are missing."""
        states = gold_first.states(self._db)
        missing = min(self._spec.eval.rows_first - states.settled, states.pending)
        if missing <= 0:
            return []
        rows = gold_first.pending(self._db)
        chosen = [rows[index] for index in sample.spread(len(rows), missing)]
        return gold_first.positions(self._db, chosen)

    def hold(self) -> bool:
        """Judge the settled gold rows. Where they do not reach the least figures, the run is asked
        to stop."""
        former, self.verdict = self.verdict, gold_gate.judge(self._db, self._spec, self.taken.kind)
        if self.verdict != former:
            self._say(f"gold: {self.verdict.text}")
        if not self.verdict.is_met:
            self._stop.request(FAILED)
        return self.verdict.is_met


def take(
    db: Database, job: ReadyJob, stop: StopRequest, say: Callable[[str], None]
) -> GoldRows | None:
    """The gold rows of a job that has least figures for them; None for others, and for a job whose
    answers are made elsewhere. Raises UsageError for a job without a gold row, or with too few."""
    if not _is_gate(job):
        return None
    gold = GoldRows(db, job.spec, stop, say)
    say(f"gold: {words(job.spec, gold.taken)}")
    return gold


def failure(gold: GoldRows | None, counts: Counts) -> str | None:
    """The reason for which the run ends without an output: what the gold rows are like. Where
    nothing is pending they are judged once more, since more of them may have run by now."""
    if gold is None:
        return None
    if counts.pending == 0:
        gold.hold()
    if gold.verdict is None or gold.verdict.is_met:
        return None
    return f"{FAILED}: {gold.verdict.text}"


def words(spec: JobSpec, taken: GoldTaken) -> str:
    """A line on what runs first, and what the rest depends on."""
    states = taken.states
    rows = max(states.settled, min(spec.eval.rows_first, states.asked))
    of_all = "" if rows == states.asked else f" of {states.asked:,}"
    done = f" ({states.settled:,} have run already)" if states.settled else ""
    when = "have run already" if states.settled >= rows else f"run first{done}"
    least = ", ".join(f"{name} {spec.eval.min[name]:g}" for name in spec.eval.min)
    return (
        f"{rows:,}{of_all} gold rows {when}; the others only if the lower bound of the "
        f"interval reaches {least}{gold_gate.leeway(spec, rows)}{_alike(states)}"
    )


def _alike(states: GoldStates) -> str:
    """A few words where many gold rows ask the same."""
    if states.requests >= _MOSTLY_DIFFERENT * states.asked:
        return ""
    return (
        f"; these rows ask only {states.requests:,} different things, so the interval, which takes "
        "them for as many as they are, is too narrow"
    )


def notices(db: Database, job: ReadyJob) -> list[str]:
    """A line for `llmbatch plan` on what runs first, where something does. Raises UsageError as a
    run would."""
    if not _is_gate(job):
        return []
    return [f"gold: {words(job.spec, gold_gate.take(db, job.spec))}"]


def _is_gate(job: ReadyJob) -> bool:
    return job.spec.eval.is_gate and not request_file.is_wanted(job)
