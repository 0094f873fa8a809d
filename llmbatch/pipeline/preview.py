"""What a run would do: the same reading and planning, in a store that is thrown away."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import orjson

from llmbatch.core.errors import LockedError
from llmbatch.core.spec import JobSpec
from llmbatch.engines import registry
from llmbatch.engines.base import Engine, EngineConfig, Foreseeing
from llmbatch.pipeline import foresight, ingest, ordering, paths, planning, preflight
from llmbatch.pipeline.foresight import Foresight
from llmbatch.pipeline.paths import JobPaths
from llmbatch.store import plans, results
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class Preview:
    """Rows and requests by what would happen to them.

    `reused_*` count what the job's store has settled already; None while another run holds it.
    """

    rows_in: int
    rejected: int
    template_failures: int
    failure_example: str | None
    requests: int
    duplicates: int
    reused_requests: int | None
    reused_rows: int | None
    chunks: int
    first_messages: list[tuple[str, str]]
    prefix_cache: Foresight


def preview(spec: JobSpec) -> Preview:
    """Read and plan the job without a trace. Raises UsageError as a run would."""
    preflight.check(spec)
    engine = registry.load(spec.engine.name)(EngineConfig(spec.model, spec.engine.options))
    with tempfile.TemporaryDirectory(prefix="llmbatch-plan-") as folder:
        job = JobPaths(Path(folder))
        with Database.open(job.store) as db:
            order = plan_aside(db, spec, job, engine)
            store = paths.of_spec(spec).store
            known = engine.foreseen() if isinstance(engine, Foreseeing) else spec.engine.options
            foreseen = foresight.foresee(db, spec, order or (), store, known, engine.encode)
            return _preview(db, spec, foreseen)


def plan_aside(
    db: Database, spec: JobSpec, aside: JobPaths, engine: Engine
) -> tuple[str, ...] | None:
    """Read and plan the job into a store beside its own, whose order of a record's fields it
    takes; that order."""
    snapshot = ingest.ingest(db, spec, aside)
    held = ordering.held_elsewhere(db, paths.of_spec(spec).store)
    order = ordering.decide(db, spec, snapshot, held)
    planning.plan(db, spec, snapshot, engine.identity(), order)
    return order


def _preview(db: Database, spec: JobSpec, foreseen: Foresight) -> Preview:
    counts = results.counts(db)
    planned = results.report(db, "plan_counts")[0]
    reused = _reused(db, paths.of_spec(spec).store)
    first = plans.first_messages(db)
    failures = results.report(db, "failure_counts")
    return Preview(
        rows_in=counts.rows_in,
        rejected=counts.rejected,
        template_failures=counts.failed,
        failure_example=failures[0]["example"] if failures else None,
        requests=planned["requests"],
        duplicates=planned["duplicates"],
        reused_requests=reused[0] if reused else None,
        reused_rows=reused[1] if reused else None,
        chunks=-(-planned["requests"] // spec.run.chunk_size),
        first_messages=[(role, text) for role, text in orjson.loads(first or "[]")],
        prefix_cache=foreseen,
    )


def _reused(db: Database, store: Path) -> tuple[int, int] | None:
    if not store.is_file():
        return 0, 0
    try:
        return plans.settled_in(db, store)
    except LockedError:
        return None
