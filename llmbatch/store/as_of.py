"""The answers of a job as an earlier run left them."""

from llmbatch.core.errors import UsageError
from llmbatch.store import editions, plans, statements
from llmbatch.store.database import Database
from llmbatch.store.statements import query


def look_back(db: Database, run: int) -> bool:
    """Let this connection see the rows of now with the answers that they had after `run`; rows
    whose request had none then are pending. Their requests are those of then, if an edition still
    knows them. True if they are those of now although the run worked on another plan. Raises
    UsageError where it cannot be told."""
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
    plan = _plan_of(db, run)
    if current is not None and current.plan == plan:
        return False
    former = next((each for each in editions.kept(db) if _plan_of(db, each.run) == plan), None)
    if former is None:
        return True
    editions.plan_as(db, former)
    return False


def _plan_of(db: Database, run: int) -> int | None:
    found = db.scalar(_query("plan_of_run"), {"run": run})
    return None if found is None else int(found)


def _query(name: str) -> str:
    return statements.load("as_of.sql")[name]
