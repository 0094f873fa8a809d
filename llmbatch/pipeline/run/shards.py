"""A job of which a run works on one shard: the rows in its store, and the checks of these."""

from dataclasses import replace

from llmbatch.core.errors import UsageError
from llmbatch.core.stored import json_table
from llmbatch.job.shard import Shard
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.store import run_records, shares
from llmbatch.store.database import Database
from llmbatch.store.field_groups import NO_ORDER, KnownOrder


def require_same(db: Database, job: ReadyJob) -> None:
    """Raise UsageError where the store is that of another shard, or of a whole job."""
    runs = run_records.summaries(db)
    if not runs:
        return
    wanted, kept = job.spec.run.shard, of_settings(runs[-1].spec)
    if wanted != kept:
        of = f"shard {kept}" if kept else "a job without shards"
        how = f"with --shard {kept}" if kept else "without --shard"
        raise UsageError(
            f"{job.paths.state}: holds the answers of {of}: run it {how}, or name another folder "
            "with --state"
        )


def of_settings(settings: str) -> str | None:
    """The shard that a run worked on, by its settings (JSON), as it was asked for; None: all."""
    run = json_table(settings).get("run")
    found = run.get("shard") if isinstance(run, dict) else None
    return found if isinstance(found, str) else None


def known(db: Database, spec: JobSpec, order: KnownOrder) -> tuple[KnownOrder, bool]:
    """The known order of a record's fields, and True if the rows in the store may stay, where they
    are those of this input.

    Of a share they may once a run of its plan has begun: all that is found of the whole input, the
    order among it, was kept then. That order stays, because the share's rows may have another.
    """
    held, shard = shares.held(db), Shard.of(spec)
    if held is None:
        return order, True
    is_same = shard == (held.shard, held.shards) and shares.has_run(db) and order != NO_ORDER
    return (replace(order, answered=True) if is_same else order), is_same
