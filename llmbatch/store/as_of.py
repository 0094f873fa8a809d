"""The answers of a job as an earlier run left them."""

from llmbatch.core.errors import UsageError
from llmbatch.store import plans, statements
from llmbatch.store.database import Database
from llmbatch.store.statements import query


def look_back(db: Database, run: int) -> bool:
    """Let this connection see the rows of now with the answers that they had after `run`; rows
    whose request had none then are pending. True if the run worked on another plan, in
    which requests may have been others. Raises UsageError where that cannot be told."""
    known = [number for (number,) in db.execute(_query("runs"))]
    if run not in known:
        last = f"1 to {known[-1]}" if known else "none"
        raise UsageError(f"{db.path.parent}: has no run {run}; the runs it knows: {last}")
    if int(db.scalar(query("most_samples"))) > 1:
        raise UsageError(
            f"{db.path.parent}: rows have several samples; an earlier run of them cannot be seen"
        )
    db.execute(_query("settled_as_of").format(run=int(run)))
    current = plans.current(db)
    return current is None or current.plan != db.scalar(_query("plan_of_run"), {"run": run})


def _query(name: str) -> str:
    return statements.load("as_of.sql")[name]
