"""One run of a job, from open to close."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, ExitCode, UnwrittenError, UsageError
from llmbatch.core.spec import JobSpec
from llmbatch.engines import registry
from llmbatch.engines.base import Engine, EngineConfig
from llmbatch.pipeline import export, ingest, paths, planning, preflight
from llmbatch.pipeline.feed import Feed
from llmbatch.pipeline.judge import Judge
from llmbatch.pipeline.loop import Loop, Tally, Timings
from llmbatch.pipeline.paths import JobPaths
from llmbatch.pipeline.progress import Observer
from llmbatch.pipeline.pump import Pump
from llmbatch.pipeline.status import StatusFile
from llmbatch.pipeline.stops import Stops
from llmbatch.store import plans, results, runs
from llmbatch.store.database import Database
from llmbatch.store.lock import JobLock
from llmbatch.store.results import Counts


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. If `engine_left`, the engine did not stop in time: exit the process."""

    exit_code: ExitCode
    reason: str
    counts: Counts
    engine_left: bool


@dataclass
class _Context:
    """What the phases of one run share."""

    spec: JobSpec
    job: JobPaths
    engine: Engine
    observer: Observer
    stops: Stops
    status: StatusFile
    timings: Timings = field(default_factory=Timings)
    begun: bool = False


def execute(spec: JobSpec, observer: Observer) -> RunResult:
    """Start or resume a job; idempotent.

    Raises UsageError when the job cannot be used, LockedError when another run holds it,
    EngineError when the engine did not start or died; all that had settled is committed.
    """
    job = paths.of_spec(spec)
    preflight.check(spec)
    config = EngineConfig(spec.model, spec.engine.options, str(job.log))
    engine = registry.load(spec.engine.name)(config)
    is_new = paths.make_private(job.state)
    context = _Context(spec, job, engine, observer, Stops(), StatusFile(job))
    with JobLock(job.lock), context.stops:
        try:
            with Database.open(job.store) as db:
                return _run(db, context)
        except (UsageError, KeyboardInterrupt):
            # Leave no trace of a job that never was one; a run that has begun may have answers.
            if is_new and not context.begun:
                paths.discard(job.state)
            raise


def _run(db: Database, context: _Context) -> RunResult:
    spec = context.spec
    started, began = clock.now(), clock.seconds()
    context.observer.phase("reading the input")
    context.status.phase("reading the input")
    snapshot = ingest.ingest(db, spec, context.job)
    context.observer.phase("planning")
    context.status.phase("planning")
    plan = planning.plan(db, spec, snapshot, context.engine.identity())
    planned = clock.seconds()
    context.timings.prepare = planned - began
    if positions := plans.pending_positions(db):
        # Checking may mean importing the engine, which is part of starting it.
        context.engine.check(spec.sampling.to_sampling(), spec.answer.to_constraint())
        context.timings.engine_start = clock.seconds() - planned
    run = runs.begin(db, plan.plan, started, spec.model_dump(mode="json", by_alias=True))
    context.begun = True
    try:
        stopped_clean = _generate(db, context, run, positions)
        return _finish(db, context, run, engine_left=not stopped_clean)
    except (EngineError, UsageError, UnwrittenError) as error:
        # A store that cannot be written cannot note its end either.
        with suppress(UnwrittenError):
            _end(db, context, run, str(error), error.exit_code)
        raise


def _generate(db: Database, context: _Context, run: int, positions: Sequence[int]) -> bool:
    """Compute what is pending; an engine is started only if something is."""
    if not positions or context.stops.drain:
        return True
    spec = context.spec
    constraint = spec.answer.to_constraint()
    counts = results.counts(db)
    done = counts.answered + counts.failed
    tally = Tally(done + counts.pending, rows_reused=done, rows_done=done)
    reading = db.cursor()
    sampling = spec.sampling.to_sampling()
    feed = Feed(reading, positions, spec.run.chunk_size, sampling, constraint, context.stops)
    loop = Loop(db, run, spec.run, feed, Judge(constraint), tally, context.timings)
    pump = Pump(context.engine, feed)
    try:
        return loop.drive(pump, context.stops, context.observer, context.status)
    finally:
        context.observer.close()


def _finish(db: Database, context: _Context, run: int, *, engine_left: bool) -> RunResult:
    counts = results.counts(db)
    if counts.pending == 0:
        began = clock.seconds()
        context.observer.phase("writing the output")
        context.status.phase("writing the output")
        export.export(db, context.spec)
        context.timings.export = clock.seconds() - began
    code, reason = verdict(counts, context.stops.signal)
    _end(db, context, run, reason, code)
    return RunResult(code, reason, counts, engine_left)


def verdict(counts: Counts, signal: int | None) -> tuple[ExitCode, str]:
    """The exit code of a run that ended in order, and the reason in a word or two."""
    if counts.pending:
        codes = {2: ExitCode.SIGINT, 15: ExitCode.SIGTERM}
        return (codes[signal], "stopped by a signal") if signal else (ExitCode.STOPPED, "stopped")
    if counts.failed or counts.rejected:
        return ExitCode.INCOMPLETE, "finished, not every row answered"
    return ExitCode.OK, "finished"


def _end(db: Database, context: _Context, run: int, reason: str, code: ExitCode) -> None:
    runs.end(db, run, reason, code, asdict(context.timings))
    db.compact()
    context.status.phase("ended", reason=reason, exit_code=int(code))
