"""The middle of a run: what is pending is computed, by one engine after the other."""

from contextlib import closing
from functools import partial

from llmbatch.core import clock
from llmbatch.engines.base import Engine
from llmbatch.engines.pooling import pooling_of
from llmbatch.pipeline.run import sample
from llmbatch.pipeline.run.answer_checks import checks_of
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.counters import RunCounters
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.supervisor import Supervisor
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.store import plans, results
from llmbatch.store.database import Database
from llmbatch.store.plans import Pending
from llmbatch.store.results import Counts


def _show_begin(context: Context, run: int, counts: Counts) -> None:
    context.observer.event(
        "started" if run == 1 else "resumed",
        run=run,
        rows=counts.rows_in,
        reused=counts.answered,
        pending=counts.pending,
    )


def generate(db: Database, context: Context, run: int, pending: Pending) -> bool:
    """Compute what is pending; an engine is started only if something is, and may be computed.
    False if an engine had to be left running."""
    counts = results.counts(db)
    context.status.counts(counts)
    _show_begin(context, run, counts)
    if not pending.positions or context.stop.drain:
        return True
    if context.gold is not None and not context.gold.may_begin():
        return True
    pending, counters = _choose(db, context, pending, counts)
    job, stop, observer = context.job, context.stop, context.observer
    bounds, status, series = context.limits, context.status, context.series
    run_cost, meter, run_spec = context.run_cost, context.meter, job.spec.run
    forecaster = context.forecaster(db, job.spec, pending.positions, context.engines.first_engine)
    pooling = partial(pooling_of, context.engines.first_engine)
    with closing(observer), job.task.check(pooling) as check, checks_of(db, job) as checks:
        accept = Acceptance(
            check, loops_fail=job.task.sampling.repetition > 0, keeps_cut=job.spec.run.keeps_cut
        )
        settlement = Settlement(
            db, run, run_spec, accept, counters, context.timings, observer, stop, run_cost, meter,
            checks,
        )  # fmt: skip
        rounds = Rounds(
            db, job, pending, bounds, settlement, context.sample_size is not None, context.gold
        )
        supervisor = Supervisor(
            db, run, run_spec, partial(_engine, context), rounds, settlement, bounds, stop,
            observer, status, forecaster, series.keeper.kept_from if series else lambda: None,
        )  # fmt: skip
        is_free = supervisor.work()
    context.spend(counters.usage)
    if is_free:
        _leave_engine(context)
    if context.sample_size is not None:
        stop.request(sample.reason(context.sample_size))
    return is_free


def _engine(context: Context) -> Engine:
    """The next engine of the run: a new one, or the one that another job had started."""
    engines, series = context.engines, context.series
    return (
        engines.next_engine() if series is None else series.engine(engines.use, engines.next_engine)
    )


def _leave_engine(context: Context) -> None:
    """Leave the engine to later jobs, or end it. After a signal the end of the process ends it."""
    series = context.series
    if series is None:
        context.devices.release()
    elif context.stop.signal is None:
        began = clock.seconds()
        series.engine_is_free()
        context.timings.engine_stop += clock.seconds() - began


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
