"""One run of a job, from open to close."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

from llmbatch.core import clock, units
from llmbatch.core.errors import (
    EngineError,
    ExitCode,
    HelperError,
    LlmbatchError,
    UnwrittenError,
    UsageError,
)
from llmbatch.engines.pooling import pooling_of
from llmbatch.job import folder
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.prompts import other_limits
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import earlier_files, export, whole_output
from llmbatch.pipeline.run import (
    changes,
    ending,
    flagging,
    gold_rows,
    limits,
    prepare,
    request_file,
    reuse,
    sample,
)
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.counters import RunCounters
from llmbatch.pipeline.run.engine_factory import EngineFactory
from llmbatch.pipeline.run.exit_of import exit_of
from llmbatch.pipeline.run.forecast_seam import MakeForecaster, NoForecaster
from llmbatch.pipeline.run.limits import deadline_of
from llmbatch.pipeline.run.prepare import PlannedJob
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.pipeline.run.supervisor import Supervisor
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.quality import gold_gate
from llmbatch.store import failures, field_groups, plans, results, run_records, runs
from llmbatch.store.database import Database
from llmbatch.store.live_copy import CopyService
from llmbatch.store.lock import JobLock
from llmbatch.store.plans import Pending
from llmbatch.store.results import Counts

_NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class RunResult:
    """The end of a run. An engine that did not stop in time may still hold a thread: leave the
    process at once. `before`: the rows before anything was computed."""

    exit_code: ExitCode
    reason: str
    counts: Counts
    before: Counts = _NOTHING

    @property
    def is_fruitless(self) -> bool:
        """True if rows were tried, and none was answered."""
        is_answered = self.counts.answered > self.before.answered
        return self.counts.failed > self.before.failed and not is_answered


def execute(
    job: ReadyJob,
    observer: Observer,
    *,
    fresh: bool = False,
    sample_size: int | None = None,
    forecaster: MakeForecaster = NoForecaster,
) -> RunResult:
    """Start or resume a job; idempotent. With `fresh` earlier answers are forgotten first; with
    `sample_size` only so many of the pending requests are computed, spread over all of them.
    `forecaster`: makes what forecasts beside the run.

    Raises UsageError when the input or the engine cannot be used, LockedError when another run
    holds the job, EngineError when the engine did not start or died for good; all that had settled
    is committed.
    """
    spec, paths = job.spec, job.paths
    limits.check(spec)
    gold_gate.check(spec)
    engines = EngineFactory(job)
    deadline = deadline_of(spec, clock.seconds())
    is_new = folder.make_private(paths.state)
    stop = StopRequest(spec.run.grace)
    context = Context(job, engines, observer, stop, fresh, deadline, forecaster, sample_size)
    with JobLock(paths.lock, deadline if spec.run.if_locked == "wait" else 0.0), stop:
        # Another run may have had the lock, and worked, since the folder was made.
        is_new = is_new and not paths.store.exists()
        with _failure_shown(context, is_new):
            return _open_and_run(context)


@contextmanager
def _failure_shown(context: Context, is_new: bool) -> Iterator[None]:
    """Show the end of a run that fails, and leave nothing behind of a job that never was one."""
    try:
        yield
    except KeyboardInterrupt as error:
        code = 128 + (context.stop.signal or signal.SIGINT)
        _give_up(context, is_new, "stopped by a signal", code)
        raise KeyboardInterrupt(code) from error
    except LlmbatchError as error:
        is_none = is_new and isinstance(error, UsageError)
        _give_up(context, is_none, str(error), error.exit_code)
        raise
    except Exception:
        context.show_end("a bug in llmbatch", ExitCode.BUG)
        raise


def _give_up(context: Context, is_new: bool, reason: str, code: int) -> None:
    """Show the end of a run; remove the state folder of a job of which none has begun."""
    if is_new and not context.begun:
        folder.discard(context.job.paths.state)
    # Without a state folder, the metrics file still shows the end.
    context.show_end(reason, code)


def _open_and_run(context: Context) -> RunResult:
    context.stop.patience = 0
    context.started, context.began = clock.moment(), clock.seconds()
    with prepare.open_when_free(context) as db, CopyService(db) as context.copies:
        context.status.note(last_success_at=_last_success(db))
        context.meter.begin(context.status.beat)
        return _run(db, context)


def _last_success(db: Database) -> str | None:
    """The time at which a run of the job last ended with exit code 0."""
    ended = [run.ended for run in run_records.summaries(db) if run.exit_code == 0 and run.ended]
    return ended[-1].at.isoformat(timespec="milliseconds") if ended else None


def _run(db: Database, context: Context) -> RunResult:
    """The whole of a run: read and plan, find the work, begin, generate, finish."""
    job = context.job
    earlier_files.check(db, job.output)
    whole_output.check(db, job.spec, job.output, job.paths.state)
    known = field_groups.NO_ORDER if context.fresh else field_groups.known_order(db)
    engine, spool = context.engines.first_engine, job.paths.spool
    limits = other_limits.NONE if context.fresh else other_limits.of_runs(db, job.spec)
    planned = prepare.read_and_plan(db, job, engine, known, spool, context.phase, limits)
    for notice in planned.notices:
        context.observer.phase(notice)
    export.check(db, job.output)
    context.timings.prepare = clock.seconds() - context.began
    if request_file.is_wanted(job):
        return _ask_elsewhere(db, context, planned)
    if not context.fresh:
        reuse.check(db, job.spec)
    if context.sample_size is None:
        context.gold = gold_rows.take(db, job, context.stop, context.observer.phase)
    pending = prepare.open_work(db, context)
    run = _begin(db, context, planned)
    with _failure_recorded(db, context, run):
        before = results.counts(db)
        _generate(db, context, run, pending)
        return replace(_finish(db, context, run), before=before)


def _ask_elsewhere(db: Database, context: Context, planned: PlannedJob) -> RunResult:
    """Write the requests that are pending, in place of computing them."""
    for notice in request_file.notices(context.job):
        context.observer.phase(notice)
    run = _begin(db, context, planned)
    with _failure_recorded(db, context, run):
        counts = results.counts(db)
        context.status.counts(counts)
        written = request_file.write(db, context.job)
        reason = f"{units.count(written, 'request')} written to {context.job.output.path}"
        ending.end(db, context, run, reason, ExitCode.OK)
        return RunResult(ExitCode.OK, reason, counts, counts)


def _begin(db: Database, context: Context, planned: PlannedJob) -> int:
    """Record that the run has begun; its number."""
    if planned.order is not None:
        field_groups.keep(db, planned.order)
    planned.watch.keep(db)
    context.stop.patience = 1
    settings = context.job.spec.model_dump(mode="json", by_alias=True)
    run = runs.begin(db, planned.plan.plan, context.started, settings)
    context.begun = True
    return run


@contextmanager
def _failure_recorded(db: Database, context: Context, run: int) -> Iterator[None]:
    """Record the end of a run that fails."""
    try:
        yield
    except (EngineError, HelperError, UsageError, UnwrittenError) as error:
        # A store that cannot be written cannot record its end either.
        with suppress(UnwrittenError):
            context.status.counts(results.counts(db))
            ending.end(db, context, run, str(error), error.exit_code)
        raise


def _show_begin(context: Context, run: int, counts: Counts) -> None:
    context.observer.event(
        "started" if run == 1 else "resumed",
        run=run,
        rows=counts.rows_in,
        reused=counts.answered,
        pending=counts.pending,
    )


def _generate(db: Database, context: Context, run: int, pending: Pending) -> None:
    """Compute what is pending; an engine is started only if something is, and may be computed."""
    counts = results.counts(db)
    context.status.counts(counts)
    _show_begin(context, run, counts)
    if not pending.positions or context.stop.drain:
        return
    if context.gold is not None and not context.gold.may_begin():
        return
    pending, counters = _choose(db, context, pending, counts)
    job, stop, observer = context.job, context.stop, context.observer
    bounds, status, take = context.limits, context.status, context.engines.next_engine
    run_cost, meter, run_spec = context.run_cost, context.meter, job.spec.run
    forecaster = context.forecaster(db, job.spec, pending.positions, context.engines.first_engine)
    pooling = pooling_of(context.engines.first_engine)
    with closing(observer), job.task.check(pooling) as check:
        accept = Acceptance(
            check, loops_fail=job.task.sampling.repetition > 0, keeps_cut=job.spec.run.keeps_cut
        )
        settlement = Settlement(
            db, run, run_spec, accept, counters, context.timings, observer, stop, run_cost, meter
        )
        rounds = Rounds(
            db, job, pending, bounds, settlement, context.sample_size is not None, context.gold
        )
        supervisor = Supervisor(
            db, run, run_spec, take, rounds, settlement, bounds, stop, observer, status, forecaster
        )
        supervisor.work()
    if context.sample_size is not None:
        stop.request(sample.reason(context.sample_size))


def _choose(
    db: Database, context: Context, pending: Pending, counts: Counts
) -> tuple[Pending, RunCounters]:
    """The requests of this run: all that are pending, or a sample of them."""
    size, rows = plans.pending_size(db)
    # Of a row with several samples some may be done.
    done = counts.answered + counts.failed + counts.pending - rows
    if context.sample_size is not None:
        pending, rows, size = sample.choose(db, pending, context.sample_size)
    return pending, RunCounters(done + rows, rows_reused=done, rows_done=done, size=size)


def _finish(db: Database, context: Context, run: int) -> RunResult:
    counts = results.counts(db)
    context.status.counts(counts)
    failure = gold_rows.failure(context.gold, counts)
    if is_whole := counts.pending == 0 and failure is None:
        began = clock.seconds()
        context.phase("writing the output")
        results.verify(db)
        flagging.find(db, context.job)
        for notice in export.export(db, context.job.output, counts).notices:
            context.observer.phase(f"warning: {context.job.output.path}: {notice}")
        context.timings.export = clock.seconds() - began
    elif context.stop.signal is None:  # who has sent one does not wait for this
        flagging.find(db, context.job)
    new = failures.count_new(db, run)
    code, reason = exit_of(counts, new, context.stop, context.job.spec.run, failure)
    published = None
    if is_whole:
        failures.keep_known(db, run)
        published = changes.look(db, context.job)
        code, reason = changes.judged(code, reason, published.found, context.job.spec.run)
    ending.end(db, context, run, reason, code, published)
    return RunResult(code, reason, counts)
