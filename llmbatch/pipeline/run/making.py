"""The versions of what makes a run's answers, and what of them is other than at the run before."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from llmbatch.core import units
from llmbatch.core.version import VERSION
from llmbatch.job import stored
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.pipeline.tasks import adapters
from llmbatch.quality import made_by
from llmbatch.quality.made_by import MadeBy
from llmbatch.store import plans
from llmbatch.store.database import Database
from llmbatch.store.history import PastRun


def kept(job: ReadyJob, identity: Mapping[str, str]) -> dict[str, Any]:
    """All that a run keeps of what makes its answers beside its settings. `identity`: that of its
    model."""
    return made_by.identity(identity, adapters.load(job.spec).digests)


def news(db: Database, job: ReadyJob, planned: PlannedJob, *, fresh: bool) -> list[str]:
    """The changes since the job's last run that make answers anew, in one line; none else. With
    `fresh` all are made anew."""
    before = made_by.last(db, job.spec.model if job.spec.stages else None)
    rows = plans.counts(db).asked if fresh else plans.pending_size(db)[1]
    if before is None or not rows:
        return []
    return _line(_now(job, planned), *before[::-1], units.count(round(rows), "row"))


def news_aside(
    job: ReadyJob, planned: PlannedJob, runs: Sequence[PastRun], requests: int
) -> list[str]:
    """The same of a plan that is made aside of the job's own store. `runs`: those there."""
    spec = job.spec
    alike = [run for run in runs if not spec.stages or run.spec.get("model") == spec.model]
    if not alike or not requests:
        return []
    # Of one that has no engine, or of an older version, the model is not known.
    last = ([run for run in alike if run.made_by] or alike)[-1]
    read = stored.read_spec(orjson.dumps(dict(last.spec)).decode())[0]
    before = made_by.of_job(read, last.made_by, VERSION)
    return _line(_now(job, planned), before, last.run, units.count(requests, "request"))


def _now(job: ReadyJob, planned: PlannedJob) -> MadeBy:
    return made_by.of_job(job.spec, kept(job, planned.identity), VERSION)


def _line(now: MadeBy, before: MadeBy, run: int, what: str) -> list[str]:
    changes = list(made_by.changes(now, before, run))
    are = "is" if what.startswith("1 ") else "are"
    return [f"{'; '.join(changes)}: {what} {are} computed anew"] if changes else []
