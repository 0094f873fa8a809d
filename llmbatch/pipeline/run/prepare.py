"""From the input to a plan, before any engine is at work."""

from llmbatch.engines.base import Engine
from llmbatch.job import folder as job_folder
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, record_order
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.run.engine_factory import Naming
from llmbatch.store.database import Database


def plan_aside(
    db: Database, spec: JobSpec, aside: JobPaths, engine: Engine
) -> tuple[str, ...] | None:
    """Read and plan the job into a store beside its own, whose order of a record's fields it
    takes; that order."""
    naming = Naming(engine)
    snapshot = ingest.ingest(db, spec, aside)
    held = record_order.held_elsewhere(db, job_folder.paths_for(spec).store)
    order = record_order.decide(db, spec, snapshot, held)
    planner.plan(db, spec, snapshot, naming.identity(), order)
    return order
