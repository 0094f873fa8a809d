"""Tries of a job: some of its rows answered, again and again while its files are being edited.

The answers are kept in the job's store, as those of any run, and a later run finds them. The
store's own rows, plan and output stay as they are: a try has rows and a plan of its own beside them
(`store.part`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, ExitCode, HelperError, UnwrittenError, UsageError
from llmbatch.engines.pooling import pooling_of
from llmbatch.job import folder
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.prompts import other_limits, planner, record_order
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.screening import Screening
from llmbatch.pipeline.rows import ingest, row_choice
from llmbatch.pipeline.run import limits, prepare, sample
from llmbatch.pipeline.run.answer_checks import checks_of
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.counters import RunCounters
from llmbatch.pipeline.run.engine_factory import EngineFactory, IdentityLookup
from llmbatch.pipeline.run.forecast_seam import NoForecaster
from llmbatch.pipeline.run.kept_engine import EngineKeeper
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.pipeline.run.supervisor import Supervisor
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.store import field_groups, part, plans, results, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.lock import JobLock
from llmbatch.store.results import Counts
from llmbatch.store.snapshots import Snapshot

_A_TRY = "an earlier try"
_STATES = ["answered", "failed", "skipped", "pending"]


@dataclass(frozen=True, slots=True)
class TriedRows:
    """The choice of rows: `count` of those that keep the condition `where`, spread over them, or
    the first ones."""

    count: int
    first: bool = False
    where: str | None = None


@dataclass(frozen=True, slots=True)
class TryResult:
    """The outcome of a try. `rows`: those in `store.results.in_input_order`; `input_rows`: those of
    the whole input, and `matching` those that could have been chosen; `columns`: those of the input
    that the prompt uses; `before`: how many of the rows were settled before; seconds: of all, of
    reading and planning, of the engine's start."""

    rows: Sequence[dict[str, Any]]
    counts: Counts
    columns: Sequence[str]
    input_rows: int
    matching: int
    before: int
    seconds: float
    reading_seconds: float
    start_seconds: float


def _rows(db: Database, job: ReadyJob) -> Iterator[dict[str, Any]]:
    """The rows that were tried, with their answers as the output would have them."""
    rows = results.in_input_order(db, _STATES)
    return rows if job.output.samples is None else job.output.samples.shown(rows)


class TrySession:
    """Holds a job for its tries, and keeps its engine and its input from one to the next. A context
    manager. Raises LockedError when another run holds the job."""

    def __init__(self, job: ReadyJob, observer: Observer) -> None:
        self._first_job = job
        self._observer = observer
        self._stack = ExitStack()
        self._keeper = EngineKeeper()
        self._db: Database | None = None
        self.stop = StopRequest(job.spec.run.grace)

    def __enter__(self) -> Self:
        paths = self._first_job.paths
        is_new = folder.make_private(paths.state)
        try:
            self._stack.enter_context(JobLock(paths.lock, 0.0))
            self._stack.enter_context(self.stop)
            self._stack.callback(self._discard, is_new=is_new and not paths.store.exists())
            self._stack.callback(self._close)
            self._stack.enter_context(self._keeper)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _close(self) -> None:
        if self._db is not None:
            part.close_part(self._db)
            self._db.close()

    def _discard(self, *, is_new: bool) -> None:
        """Remove the folder of a job of which nothing was ever answered."""
        if is_new and not self._has_run:
            folder.discard(self._first_job.paths.state)

    _has_run = False

    def answer(self, job: ReadyJob, wanted: TriedRows) -> TryResult:
        """Answer some rows of the job, which may have changed since the last try but for its state
        folder. Raises as a run does."""
        began = clock.seconds()
        limits.check(job.spec)
        self.stop.patience = 0
        context = Context(
            job, EngineFactory(job), self._observer, self.stop, False, NEVER, NoForecaster, None
        )
        context.started, context.began = clock.moment(), began
        try:
            return self._answer(context, wanted)
        finally:
            self.stop.patience = 1
            context.show_end(self.stop.reason or sample.reason(wanted.count), ExitCode.OK)

    def require_same_folder(self, job: ReadyJob) -> None:
        """Raise UsageError if a job that was read again has another state folder."""
        if job.paths != self._first_job.paths:
            raise UsageError("the state folder is another one now: end this and begin anew")

    @property
    def store(self) -> Database:
        """The job's store, once a try has opened it."""
        assert self._db is not None
        return self._db

    def _answer(self, context: Context, wanted: TriedRows) -> TryResult:
        db = self._open(context)
        context.meter.begin(context.status.beat)
        job, stop = context.job, self.stop
        snapshot, order, matching, chosen = self._plan(db, context, wanted)
        context.timings.prepare = clock.seconds() - context.began
        pending = plans.pending(db)
        counts = results.counts(db)
        if pending.positions:
            prepare.check_engine(db, context)
        if pending.positions and not stop.drain:
            if order is not None:
                field_groups.keep(db, order)
            settings = job.spec.model_dump(mode="json", by_alias=True)
            run = runs.begin(db, part.own_plan(db), context.started, settings)
            self._has_run = True
            with _end_recorded(db, context, run, sample.reason(len(chosen))):
                self._generate(db, context, run, pending, counts)
        return TryResult(
            list(_rows(db, job)),
            results.counts(db),
            job.prompt.columns_used(snapshot.source.columns),
            snapshot.row_count,
            matching,
            counts.answered + counts.failed,
            clock.seconds() - context.began,
            context.timings.prepare,
            context.timings.engine_start
            if pending.positions and not self._keeper.kept_from()
            else 0,
        )

    def _open(self, context: Context) -> Database:
        if self._db is None:
            self._db = prepare.open_when_free(context)
            part.open_part(self._db)
        return self._db

    def _plan(
        self, db: Database, context: Context, wanted: TriedRows
    ) -> tuple[Snapshot, tuple[str, ...] | None, int, list[int]]:
        """The input, the order of a record's fields, how many rows could be chosen, and those that
        were, which are planned."""
        job, known = context.job, field_groups.known_order(db)
        lookup = IdentityLookup(context.engines.first_engine)
        before = snapshots.newest(db)
        context.phase("reading the input")
        snapshot = ingest.ingest(db, job.input, job.paths.spool)
        if snapshot != before:
            for note in snapshot.source.notes:
                context.observer.phase(f"{snapshot.source.input}: {note}")
        context.phase("planning")
        order = record_order.decide(db, job, snapshot, known)
        numbers = _numbers(db, snapshot, wanted.where)
        spread = range(len(numbers)) if wanted.first else sample.spread(len(numbers), wanted.count)
        chosen = [numbers[place] for place in spread[: wanted.count]]
        part.forget_plans(db)
        screening = Screening(job.spec, lookup.control_tokens())
        known_limits = other_limits.of_runs(db, job.spec)
        planner.plan(
            db, job, snapshot, lookup.identity(), order, screening, known_limits, rows=chosen
        )
        return snapshot, order, len(numbers), chosen

    def _generate(
        self, db: Database, context: Context, run: int, pending: plans.Pending, counts: Counts
    ) -> None:
        job, stop, observer = context.job, context.stop, context.observer
        spec, settings = job.spec, job.spec.run
        size, rows = plans.pending_size(db)
        done = counts.answered + counts.failed + counts.pending - rows
        counters = RunCounters(done + rows, rows_reused=done, rows_done=done, size=size)
        pooling = partial(pooling_of, context.engines.first_engine)
        with closing(observer), job.task.check(pooling) as check, checks_of(db, job) as checks:
            accept = Acceptance(check, loops_fail=job.task.sampling.repetition > 0)
            settlement = Settlement(
                db, run, settings, accept, counters, context.timings, observer, stop,
                context.run_cost, context.meter, checks,
            )  # fmt: skip
            supervisor = Supervisor(
                db,
                run,
                settings,
                lambda: self._keeper.lease(
                    context.engines.use, context.engines.next_engine, _A_TRY
                ),
                Rounds(db, job, pending, context.limits, settlement),
                settlement,
                context.limits,
                stop,
                observer,
                context.status,
                context.forecaster(db, spec, pending.positions, context.engines.first_engine),
                self._keeper.kept_from,
            )
            supervisor.work()


def _numbers(db: Database, snapshot: Snapshot, where: str | None) -> Sequence[int]:
    """The numbers of the rows that may be chosen."""
    if where is None:
        return snapshots.numbers(db)
    return list(row_choice.matching(db, snapshot.source.columns, where))


@contextmanager
def _end_recorded(db: Database, context: Context, run: int, reason: str) -> Iterator[None]:
    """Record the end of a run that was a try."""
    code = ExitCode.OK
    try:
        yield
        reason = context.stop.reason or reason
        code = ExitCode.STOPPED if context.stop.drain else code
    except (EngineError, HelperError, UsageError, UnwrittenError) as error:
        reason, code = str(error), ExitCode(error.exit_code)
        raise
    finally:
        runs.end(db, run, reason, code, asdict(context.timings))
