"""One run of a job, from open to close."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from llmbatch.core import clock, units
from llmbatch.core.errors import (
    EngineError,
    ExitCode,
    HelperError,
    LlmbatchError,
    UnwrittenError,
    UsageError,
)
from llmbatch.engines import starts_early
from llmbatch.job import folder, shard
from llmbatch.pipeline.monitoring.progress import Observer
from llmbatch.pipeline.prompts import other_limits
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import earlier_files, export, whole_output
from llmbatch.pipeline.run import (
    cascade,
    changes,
    early_engine,
    ending,
    flagging,
    generate,
    gold_rows,
    holding,
    job_rules,
    limits,
    making,
    next_stage,
    prepare,
    recheck,
    request_file,
    reuse,
    rule_figures,
    shards,
)
from llmbatch.pipeline.run.cascade import Cascade, Stage
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.exit_of import exit_of
from llmbatch.pipeline.run.forecast_seam import MakeForecaster, NoForecaster
from llmbatch.pipeline.run.limits import deadline_of
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.pipeline.run.series import RunSeries
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.quality import gold_gate
from llmbatch.store import failures, field_groups, results, run_records, runs
from llmbatch.store.database import Database
from llmbatch.store.field_groups import KnownOrder
from llmbatch.store.live_copy import CopyService
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
    series: RunSeries | None = None,
) -> RunResult:
    """Start or resume a job; idempotent. With `fresh` earlier answers are forgotten first; with
    `sample_size` only so many of the pending requests are computed, spread over all of them.
    `forecaster`: makes what forecasts beside the run. `series`: the runs of which this is one.

    Raises UsageError when the input or the engine cannot be used, LockedError when another run
    holds the job, EngineError when the engine did not start or died for good; all that had settled
    is committed.
    """
    spec, paths = job.spec, job.paths
    limits.check(spec)
    gold_gate.check(spec)
    shard.check(spec)
    stages = cascade.make(job)
    first = stages.stages[0]
    deadline = series.deadline if series else deadline_of(spec, clock.seconds())
    is_new = folder.make_private(paths.state)
    stop = StopRequest(spec.run.grace, series.stop if series else None)
    context = Context(
        first.job, first.engines, observer, stop, fresh, deadline, forecaster, sample_size
    )
    context.series = series
    context.engine_specs = [stage.job.spec.engine for stage in stages.stages]
    with holding.job(context), stop:
        # Another run may have had the lock, and worked, since the folder was made.
        is_new = is_new and not paths.store.exists()
        with _failure_shown(context, is_new):
            return _open_and_run(context, stages)


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


def _open_and_run(context: Context, stages: Cascade) -> RunResult:
    context.stop.patience = 0
    context.started, context.began = clock.moment(), clock.seconds()
    with prepare.open_when_free(context) as db, CopyService(db) as context.copies:
        context.status.note(last_success_at=_last_success(db))
        context.meter.begin(context.status.beat)
        with starts_early.ended(context.engines.first_engine):
            return _run(db, context, stages)


def _last_success(db: Database) -> str | None:
    """The time at which a run of the job last ended with exit code 0."""
    ended = [run.ended for run in run_records.summaries(db) if run.exit_code == 0 and run.ended]
    return ended[-1].at.isoformat(timespec="milliseconds") if ended else None


def _run(db: Database, context: Context, stages: Cascade) -> RunResult:
    """The whole of a run: read and plan, find the work, begin, generate, finish."""
    job = context.job
    earlier_files.check(db, job.output)
    whole_output.check(db, job.spec, job.output, job.paths.state)
    if not context.fresh:
        shards.require_same(db, job)
    known = field_groups.NO_ORDER if context.fresh else field_groups.known_order(db)
    planned = _plan(db, context, stages, known)
    export.check(db, job.output)
    if request_file.is_wanted(job):
        context.timings.prepare = clock.seconds() - context.began
        return _ask_elsewhere(db, context, planned, stages)
    job_rules.require(db, job.spec, job.task)
    if not context.fresh:
        reuse.check(db, job.spec)
    for line in making.news(db, job, planned, fresh=context.fresh):
        context.observer.phase(f"warning: {line}")
    if context.sample_size is None:
        context.gold = gold_rows.take(db, job, context.stop, context.observer.phase)
    hold = partial(recheck.if_due, db, job, context.phase)
    stage = stages.begin(db, planned, known, hold, anew=context.fresh)
    context.timings.prepare = clock.seconds() - context.began
    return _work(db, context, stages, planned, stage)


def _plan(db: Database, context: Context, stages: Cascade, known: KnownOrder) -> PlannedJob:
    job, engine, spool = context.job, context.engines.first_engine, context.job.paths.spool
    stages.begin_lookups()
    limits = other_limits.NONE if context.fresh else other_limits.of_runs(db, job.spec)
    lookup, look = stages.stages[0].lookup, early_engine.before_reading(db, context)
    planned = prepare.read_and_plan(
        db, job, engine, known, spool, context.phase, limits, lookup=lookup, was_read=look
    )
    for notice in planned.notices:
        context.observer.phase(notice)
    return planned


def _work(
    db: Database, context: Context, stages: Cascade, planned: PlannedJob, stage: Stage
) -> RunResult:
    """Work through the stages from this one on, each in a run of its own, and finish."""
    before = first_run = None
    while True:
        context.job, context.engines = stage.job, stage.engines
        if not stages.is_single:
            context.status.note(stage=stage.number + 1)
        pending = prepare.open_work(db, context)
        run = _begin(db, context, planned, stages, first_run)
        first_run = first_run or run
        with _failure_recorded(db, context, run):
            before = before or results.counts(db)
            is_free = generate.generate(db, context, run, pending)
            following = next_stage.after(db, context, stages, planned, stage, is_free=is_free)
            if following is None:
                return replace(_finish(db, context, run), before=before)
            next_stage.end(db, context, run, stage, following)
        stage = following
        context.enter(stage.job, stage.engines)


def _ask_elsewhere(
    db: Database, context: Context, planned: PlannedJob, stages: Cascade
) -> RunResult:
    """Write the requests that are pending, in place of computing them."""
    for notice in request_file.notices(context.job):
        context.observer.phase(notice)
    stages.orders = [planned.order]
    run = _begin(db, context, planned, stages, None)
    with _failure_recorded(db, context, run):
        counts = results.counts(db)
        context.status.counts(counts)
        written = request_file.write(db, context.job)
        reason = f"{units.count(written, 'request')} written to {context.job.output.path}"
        ending.end(db, context, run, reason, ExitCode.OK)
        return RunResult(ExitCode.OK, reason, counts, counts)


def _begin(
    db: Database, context: Context, planned: PlannedJob, stages: Cascade, first_run: int | None
) -> int:
    """Record that the run has begun; its number."""
    orders = [order for order in stages.orders if order is not None]
    if orders and first_run is None:
        field_groups.keep(db, orders[0])
    planned.watch.keep(db)
    context.stop.patience = 1
    settings = context.job.spec.model_dump(mode="json", by_alias=True)
    if not stages.is_single:
        settings |= stages.spec.model_dump(mode="json", include={"stages", "all_stages"})
    made_by = making.kept(context.job, stages.identity(context.job, planned))
    run = runs.begin(db, planned.plan.plan, context.started, settings, first_run, made_by)
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
    for line in rule_figures.lines(db, context.job.spec.check):
        context.observer.phase(line)
    new = failures.count_new(db, run)
    code, reason = exit_of(counts, new, context.stop, context.job.spec.run, failure)
    published = None
    if is_whole:
        failures.keep_known(db, run)
        published = changes.look(db, context.job)
        code, reason = changes.judged(code, reason, published.found, context.job.spec.run)
    ending.end(db, context, run, reason, code, published)
    return RunResult(code, reason, counts)
