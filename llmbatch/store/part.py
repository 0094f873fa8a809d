"""Rows, plans and requests beside those of a store, for as long as its connection is open.

They have the names of the store's own tables and take their place in every statement; attempts,
runs and all else stay those of the store. So a part of a job can be planned and answered for good,
while the store's own rows and plan stay as they are.
"""

import shutil

from llmbatch.store.database import Database

_FOLDER = "part"
_TABLES = ("snapshots", "rows", "rejects", "plans", "planned_rows", "requests")
_OF_CASCADES = ("escalations", "cascade_stages")


def open_part(db: Database) -> None:
    """Let the connection, and its cursors from now on, have empty tables of its own; `close_part`
    removes what they leave on the disk."""
    close_part(db)
    folder = db.path.with_name(_FOLDER)
    folder.mkdir(mode=0o700)
    db.texts = folder / db.path.name
    db.execute("ATTACH ':memory:' AS part")
    for table in (*_TABLES, *_OF_CASCADES):
        db.execute(f"CREATE TABLE part.{table} AS SELECT * FROM job.{table} LIMIT 0")
    db.use("part,job")


def close_part(db: Database) -> None:
    """Remove the long texts of the tables of an open part, or one that was killed."""
    shutil.rmtree(db.path.with_name(_FOLDER), ignore_errors=True)


def own_plan(db: Database) -> int:
    """The number of the newest plan of the store itself; 0 if it has none."""
    return int(db.scalar("SELECT coalesce(max(plan), 0) FROM job.plans"))


def forget_plans(db: Database) -> None:
    """Remove the plan, so that another choice of rows is planned anew."""
    for table in ("plans", "planned_rows", "requests", *_OF_CASCADES):
        db.execute(f"DELETE FROM part.{table}")
