"""The way from one stage of a cascade to the next, once its engine has ended."""

from dataclasses import asdict

from llmbatch.core import units
from llmbatch.core.errors import ExitCode
from llmbatch.pipeline.run.cascade import Cascade, Stage
from llmbatch.pipeline.run.context import Context
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.store import runs
from llmbatch.store.cascade import rows_at
from llmbatch.store.database import Database


def after(
    db: Database,
    context: Context,
    stages: Cascade,
    planned: PlannedJob,
    stage: Stage,
    *,
    is_free: bool,
) -> Stage | None:
    """The stage that is to work after this one; None if none is, or if nothing may begin any more.
    `is_free`: no engine is left that holds the device."""
    if stages.is_single or context.stop.drain:
        return None
    if not is_free:
        context.stop.request("the engine of the last stage has not ended, and holds the device")
        return None
    context.phase("planning")
    following = stages.advance(db, planned.plan)
    return following if following.number > stage.number else None


def end(db: Database, context: Context, run: int, stage: Stage, following: Stage) -> None:
    """End the run of a stage after which another one works: some of the work is left."""
    rows = units.count(rows_at(db, following.number), "row")
    reason = f"{stage.name} done: {rows} on to {following.name}"
    runs.end(db, run, reason, ExitCode.STOPPED, asdict(context.timings))
    context.observer.phase(reason)
    names = {"stage": stage.number + 1, "model": stage.job.spec.model}
    context.observer.event("stage_done", reason=reason, **names)
