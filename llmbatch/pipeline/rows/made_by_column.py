"""The column `made_by` of an output: the name of the set of versions that made a row's answer."""

from collections.abc import Iterator
from typing import Any

from llmbatch.quality import made_by
from llmbatch.store.database import Database

MADE_BY = "made_by"


def named(db: Database, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, each with the name of the set that made what the row has."""
    names = made_by.by_run(db)
    return (row | {MADE_BY: names.get(row["run"])} for row in rows)
