"""Stores as older versions have left them."""

from pathlib import Path

from llmbatch.store import database
from llmbatch.store.database import Database

# What takes the tables of a schema version to those of the version before it.
_UNDONE = {
    3: ("DROP TABLE field_orders", "DROP TABLE forecasts"),
    4: (
        "ALTER TABLE runs DROP COLUMN started_seconds",
        "ALTER TABLE engine_starts DROP COLUMN began_seconds",
        "ALTER TABLE engine_starts DROP COLUMN ready_seconds",
        "ALTER TABLE engine_deaths DROP COLUMN died_seconds",
        "ALTER TABLE checkpoints DROP COLUMN committed_seconds",
        "ALTER TABLE run_ends DROP COLUMN ended_seconds",
    ),
}


def make_older(store: Path, version: int) -> None:
    """Give the store at `path` the schema `version`."""
    with Database.open(store) as db:
        for number in range(len(database.MIGRATIONS), version, -1):
            for statement in _UNDONE[number]:
                db.execute(statement)
            db.execute("DELETE FROM migrations WHERE version = ?", [number])
