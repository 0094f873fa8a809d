"""The salvage of all records that can still be read in a damaged store and a damaged journal."""

import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from llmbatch.core import files
from llmbatch.core.errors import LlmbatchError
from llmbatch.store import faults, frames, journal, lineage, opening, statements
from llmbatch.store.database import Database
from llmbatch.store.journal import ForeignError
from llmbatch.store.recovery import DURABLE

# The rows of a group in DuckDB's file: damage makes one group unreadable, and no other.
_ROW_GROUP = 8192
_PROBLEMS = (LlmbatchError, duckdb.Error, OSError)


@dataclass(frozen=True, slots=True)
class Losses:
    """The records that could not be read: `lost` transactions of the journal, as far as is known,
    the bytes after its last whole one (`torn`), and the tables of the store that were not read
    whole (`unread`)."""

    lost: int
    torn: int
    unread: tuple[str, ...]


def salvage(new: Database, store: Path) -> Losses:
    """Fill `new`, an empty store, with the records of a damaged store and of its journal."""
    stage(new)
    numbers, torn = take_journal(new, journal.path_for(store))
    stored, unread = _take_store(new, store)
    with new.transaction():
        for statement in statements.load("salvage.sql").values():
            new.execute(statement)
        # A number that neither has, so that no older copy can be continued.
        new.append({"commits": {"number": [max([0, *numbers, stored]) + 1]}})
    known = set(numbers) if unread else {*numbers, *range(1, stored + 1)}
    counted = range(min(numbers, default=0), max(numbers, default=0))
    return Losses(sum(number not in known for number in counted), torn, unread)


def stage(db: Database) -> None:
    """Make a temporary table `found_TABLE` for the records of each durable table."""
    for table in DURABLE:
        db.execute(f"CREATE OR REPLACE TEMP TABLE found_{table} AS FROM {table} LIMIT 0")


def take_journal(new: Database, path: Path) -> tuple[list[int], int]:
    """Stage the records of all whole frames of a journal; returns their numbers, and the number of
    bytes after the last one."""
    numbers: list[int] = []
    end = 0
    if not path.exists():
        return numbers, 0
    with path.open("rb") as stream:
        descriptor = stream.fileno()
        for frame in frames.whole(descriptor):
            numbers.append(frame.number)
            end = frame.end
            content = frames.decode(frames.payload(descriptor, frame), frame)
            with faults.known(path):
                new.append({f"found_{table}": columns for table, columns in content.items()})
    return numbers, path.stat().st_size - end


def _take_store(new: Database, store: Path) -> tuple[int, tuple[str, ...]]:
    """The newest number that the store has counted, and the tables that were not read whole."""
    with ExitStack() as stack:
        try:
            _attach(stack, new, store)
        except _PROBLEMS:
            return 0, DURABLE
        try:
            stored = int(new.scalar("SELECT coalesce(max(number), 0) FROM damaged.commits"))
            _check_links(new, store, stored)
        except ForeignError:
            raise
        except _PROBLEMS:
            stored = 0
        unread = tuple(table for table in DURABLE if not _take_table(new, table))
        return stored, unread


def _attach(stack: ExitStack, new: Database, store: Path) -> None:
    """The damaged store under the name `damaged`, without its log if the damage is in that."""
    try:
        stack.enter_context(opening.attached(new, store, "damaged"))
    except _PROBLEMS:
        alone = store.with_name("alone")
        with store.open("rb") as damaged, files.atomic(alone) as copy:
            shutil.copyfileobj(damaged, copy)
        stack.callback(alone.unlink)
        stack.enter_context(opening.attached(new, alone, "damaged"))


def _check_links(new: Database, store: Path, stored: int) -> None:
    """Raise ForeignError where the two are known to be of different histories."""
    path = journal.path_for(store)
    if path.exists():
        with path.open("rb") as stream:
            lineage.check_links(new, store, stream.fileno(), stored, "damaged.commits")


def _take_table(new: Database, table: str) -> bool:
    """Stage a table; row groups that cannot be read are left out. False if there were any."""
    into = f"INSERT INTO found_{table} BY NAME SELECT * FROM damaged.{table}"
    with suppress(*_PROBLEMS):
        new.execute(into)
        return True
    with suppress(*_PROBLEMS):
        rows = int(new.scalar(f"SELECT count(*) FROM damaged.{table}"))
        for first in range(0, rows, _ROW_GROUP):
            with suppress(*_PROBLEMS):
                new.execute(f"{into} WHERE rowid BETWEEN ? AND ?", [first, first + _ROW_GROUP - 1])
    return False
