"""From a closed store to the work of a run, before any engine computes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from llmbatch.core import clock
from llmbatch.core.errors import InvariantError, LockedError
from llmbatch.core.messages import messages_of
from llmbatch.engines import starts_early
from llmbatch.engines.base import Engine, notices_of, try_chats
from llmbatch.engines.checks_device import check_device
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.prompts import other_limits, planner, record_order
from llmbatch.pipeline.prompts.other_limits import OtherLimits
from llmbatch.pipeline.prompts.planner import NotWholeError
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.screening import Screening
from llmbatch.pipeline.rows import guards, ingest
from llmbatch.pipeline.rows.drift_watch import DriftWatch
from llmbatch.pipeline.rows.guards import InputGuard
from llmbatch.pipeline.run import holding, reopening, shards
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.engine_factory import IdentityLookup
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.pipeline.run.sample import spread
from llmbatch.pipeline.run.supervisor import STARTING, last_start
from llmbatch.pipeline.tasks import held
from llmbatch.store import (
    input_profiles,
    inspection,
    plans,
    recovery,
    row_answers,
    runs,
    snapshots,
)
from llmbatch.store.database import Database
from llmbatch.store.field_groups import KnownOrder
from llmbatch.store.input_profiles import KeptProfile
from llmbatch.store.journal import DamagedError
from llmbatch.store.opening import open_store
from llmbatch.store.plans import Pending
from llmbatch.store.repair import abandon
from llmbatch.store.snapshots import FormerInputs, Snapshot

# Seconds that readers of the store get to close it, and seconds between two tries to open it.
_READERS_LEAVE = 30.0
_PAUSE = 0.1
# So many chats show what a chat template makes of all.
_TRIED = 3


def open_when_free(context: Context) -> Database:
    """Open the store. Readers, such as a run that has ended and makes its report, may hold it
    briefly: retry. With `fresh`, one that is damaged is set aside."""
    until = clock.seconds() + _READERS_LEAVE
    if context.job.spec.run.if_locked == "wait":
        until = max(until, context.deadline)
    abandoned = False
    while True:
        try:
            return _open_checked(context)
        except (DamagedError, InvariantError):
            if not context.fresh or abandoned:
                raise
            abandon(context.job.paths.store)
            abandoned = True
        except LockedError:
            if clock.seconds() >= until:
                raise
            context.stop.sleep(_PAUSE)


def _open_checked(context: Context) -> Database:
    """Open the store, report repairs, and raise if anything is wrong with it."""
    store = context.job.paths.store
    db = open_store(store)
    try:
        if repairs := db.recovery.describe(store):
            context.observer.phase(repairs)
            context.observer.event("store_mended", what=repairs)
        db.remember()
        inspection.require_sound(db, store)
    except BaseException:
        db.close()
        raise
    return db


def read_and_plan(
    db: Database,
    job: ReadyJob,
    engine: Engine,
    known: KnownOrder,
    spool: Path,
    phase: Callable[[str], None] = lambda name: None,
    limits: OtherLimits = other_limits.NONE,
    former: FormerInputs | None = None,
    kept: Sequence[KeptProfile] | None = None,
    lookup: IdentityLookup | None = None,
    was_read: Callable[[Snapshot], None] = lambda snapshot: None,
) -> PlannedJob:
    """Read the job's input into `db` and plan it for an engine that is not started. `known`:
    the order that the job's answers have; `spool`: see `ingest`; `phase` shows what begins;
    `limits`: those of earlier runs (see `other_limits`); `former`: the inputs of the job's runs,
    and `kept` their profiles, None: those that `db` knows, which is the job's own store then;
    `lookup`: of the engine's identity, if it has begun; `was_read` gets what was read, before it is
    planned."""
    lookup = lookup or IdentityLookup(engine)
    guard = InputGuard(job.spec.input, former or snapshots.former_inputs(db))
    profiles = input_profiles.kept(db) if kept is None else kept
    watch = DriftWatch(job.spec, profiles, is_aside=kept is not None)
    read = partial(ingest.ingest, db, job.input, spool, guards.both(guard, watch))
    phase("reading the input")
    kept_order, is_kept = shards.known(db, job.spec, known)
    was_read(snapshot := read(anew=not is_kept))
    try:
        return _plan(db, job, snapshot, kept_order, lookup, watch, limits, phase)
    except NotWholeError:
        phase("reading the input again: of the last one only this shard's rows are kept")
        return _plan(db, job, read(anew=True), known, lookup, watch, limits, phase)


def _plan(
    db: Database,
    job: ReadyJob,
    snapshot: Snapshot,
    known: KnownOrder,
    lookup: IdentityLookup,
    watch: DriftWatch,
    limits: OtherLimits,
    phase: Callable[[str], None],
) -> PlannedJob:
    """Plan the rows that were read."""
    for note in snapshot.source.notes:
        phase(f"{snapshot.source.input}: {note}")
    for change in watch.lines():
        phase(f"warning: drift of the input: {change}")
    phase("planning")
    order = record_order.decide(db, job, snapshot, known)
    screening = Screening(job.spec, lookup.control_tokens())
    for notice in screening.notices():
        phase(f"warning: {notice}")
    identity = lookup.identity()
    plan = planner.plan(db, job, snapshot, identity, order, screening, limits)
    if job.spec.is_batch and job.task.ask is None:
        job.spec.with_longest_answer(row_answers.longest_wanted(db))
    notices = limits.describe(plan.adopted)
    return PlannedJob(plan, order, screening, notices, watch, identity)


def open_work(db: Database, context: Context) -> Pending:
    """The requests to be computed. Answers are forgotten and dead letters reopened only after the
    engine has found nothing wrong with the job."""
    pending, engine = plans.pending(db), context.engines.first_engine
    limit = None if context.fresh else reopening.expected_limit(context.job.spec, engine)
    reopened = reopening.dead_letters(db, limit)
    otherwise = None if context.fresh else reopening.settled_otherwise(db, context.job.spec)
    if not (pending.positions or reopened or otherwise or context.fresh):
        return pending
    holding.devices(context)
    check_engine(db, context)
    if context.fresh:
        recovery.forget_runs(db)
    if otherwise:
        runs.reopen(db, otherwise, context.job.spec.sampling.max_tokens)
        reopened = reopening.dead_letters(db, limit)
    if reopened:
        runs.reopen(db, reopened)
    return plans.pending(db)


def check_engine(db: Database, context: Context) -> None:
    """Let the engine check the job. That may import it, which is part of its start."""
    began = context.began + context.timings.prepare
    engine, task = context.engines.first_engine, context.job.task
    context.limits.check(last_start(db))
    starts_early.begin_early(engine)
    if not context.stop.drain:
        context.phase(STARTING)
    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    of_prompt = context.job.prompt.notices(columns)
    of_engine = [*notices_of(engine), *try_first_chats(db, engine)]
    numbers = held.numbers_of(engine, task)
    for notice in [*task.notices(), *of_prompt, *numbers, *of_engine]:
        context.observer.phase(notice)
    for line in held.lines(held.plan_of(engine, task)):
        context.observer.phase(f"constraint: {line}")
    check_device(engine)
    engine.check(task.sampling, task.constraint)
    context.timings.engine_start = clock.seconds() - began


def try_first_chats(db: Database, engine: Engine) -> list[str]:
    """The notices of an engine about some requests of the plan. Raises UsageError for a chat
    template that cannot be used for them."""
    count = plans.counts(db).requests
    planned = plans.requests_at(db, spread(count, _TRIED)) if count else []
    return try_chats(engine, [messages_of(request.messages) for request in planned])


@contextmanager
def plan_aside(
    job: ReadyJob, engine: Engine, folder: Path
) -> Iterator[tuple[Database, PlannedJob]]:
    """The job read and planned into a store of its own in `folder`, with the order of a record's
    fields that its real store has."""
    aside = JobPaths(folder)
    with open_store(aside.store, beside=job.paths.state) as db:
        known = record_order.known_order_of(db, job.paths.store)
        former = snapshots.former_inputs_in(db, job.paths.store)
        kept = input_profiles.kept_in(db, job.paths.store)
        with other_limits.of_own_store(db, job.paths.store, job.spec) as limits:
            planned = read_and_plan(
                db, job, engine, known, aside.spool, limits=limits, former=former, kept=kept
            )
        yield db, planned
