"""Rows that a new input has in common with the one before, and their requests, are carried over.

A row is a record; the same record asked in the same way has the same request. So where the way has
not changed, only new records are rendered and named. The tables live in the connection that read
the input: a process that dies before it has planned leaves nothing, and all is planned anew.
"""

from collections.abc import Iterator

from llmbatch.store import snapshots, statements
from llmbatch.store.database import Carried, Database

_WINDOW = {"rows": 20_000, "bytes": 8_000_000}


def stage(db: Database, snapshot: int) -> None:
    """Take what the rows of a new snapshot have in common with those of the former one, beside
    which they stand."""
    drop(db)
    if db.known is None or not db.scalar(_query("can_carry")):
        return
    db.execute(_query("stage_carried"))
    for name in ("carry_in_place", "carry_moved"):
        db.execute(_query(name), {"snapshot": snapshot})
    for name in ("stage_carried_requests", "stage_carried_notes"):
        db.execute(_query(name))
    ((plan, digest),) = db.execute(_query("former_plan"))
    db.carried = Carried(plan, digest)


def insert(db: Database) -> None:
    """Put the carried rows, with their requests, to the rendered ones."""
    db.execute(_query("insert_carried"))


def drop_requests(db: Database) -> None:
    """Forget the requests that were carried, which are in the plan by now."""
    if db.carried is not None:
        db.execute(_query("drop_carried_requests"))


def others(db: Database) -> Iterator[list[tuple[int, str]]]:
    """The rows that are not carried as (row, data), in order, in windows."""
    db.execute(_query("stage_other_rows"))
    for (rows,) in db.execute(_query("other_windows"), _WINDOW):
        yield snapshots.rows_at(db, rows)


def drop(db: Database) -> None:
    """Forget what was carried."""
    db.carried = None
    for name in ("drop_carried_requests", "drop_carried"):
        db.execute(_query(name))


def _query(name: str) -> str:
    return statements.load("carrying.sql")[name]
