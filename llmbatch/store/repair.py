"""Making a new store of the journal when the old one cannot be opened any more."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from llmbatch.core.errors import StoreError, UnwrittenError
from llmbatch.store import database, drafts, files, journal, recovery
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError, Extent


@dataclass(frozen=True, slots=True)
class Repair:
    """What was found and done. Numbers of transactions, answers and bytes.

    `kept` are the damaged files, under the names they have now; `lost` counts transactions of a
    journal that was damaged in the middle, as far as no store held them. `rewritten`: the
    journal lacked what the store held.
    """

    sound: bool
    answers: int
    replayed: int = 0
    torn: int = 0
    lost: int = 0
    rewritten: bool = False
    kept: tuple[Path, ...] = ()


def repair(store: Path) -> Repair:
    """Make store and journal whole again; the caller holds the job's lock.

    Nothing is deleted: damaged files are kept under other names. Raises StoreError when there
    is neither a store that opens nor a journal.
    """
    path = journal.path_for(store)
    extent = journal.scan(path, thorough=True) if path.exists() else None
    held = _held(store, extent)
    if held is None and extent is None:
        raise StoreError(
            f"{store}: the store cannot be opened and it has no journal: nothing can be recovered; "
            "move the state folder away and run the job again"
        )
    if extent and held == extent.last and not extent.torn:
        with Database.open(store, read_only=True) as db:
            return Repair(True, _answers(db))
    return _repaired(store, extent, held)


def _repaired(store: Path, extent: Extent | None, held: int | None) -> Repair:
    kept = [] if held is not None else _set_aside(store)
    if extent and extent.beyond:
        kept.append(_shorten(journal.path_for(store), extent))
    with Database.open(store) as db:
        answers = _answers(db)
    if extent is None:
        return Repair(sound=False, answers=answers, rewritten=True)
    return Repair(
        sound=False,
        answers=answers,
        replayed=max(0, extent.last - max(held or 0, extent.first - 1)),
        torn=0 if extent.beyond else extent.torn,
        lost=max(0, extent.beyond - max(held or 0, extent.last)),
        rewritten=held is not None and held > extent.last,
        kept=tuple(kept),
    )


def _held(store: Path, extent: Extent | None) -> int | None:
    """The newest frame that the store holds; None if the store is missing or of no use."""
    if not store.exists():
        return None
    try:
        with Database.open(store, read_only=True) as db:
            _read_all(db)
            held = recovery.newest(db)
            return None if extent and recovery.is_older(db, extent, held) else held
    except (DamagedError, UnwrittenError, duckdb.Error):
        return None


def _read_all(db: Database) -> None:
    """Read every block of every table: the damage of most blocks shows only then."""
    for (table,) in db.execute("SELECT table_name FROM duckdb_tables()"):
        db.scalar(f"SELECT sum(hash(record) % 2) FROM {table} AS record")


def _set_aside(store: Path) -> list[Path]:
    damaged = [path for path in (*database.logs(store), store) if path.exists()]
    return [files.set_aside(path) for path in damaged]


def journal_gaps(db: Database, store: Path) -> int:
    """How many transactions of `db`, the store at `store`, its journal could not give back."""
    path = journal.path_for(store)
    held = recovery.newest(db) if recovery.has_work(db) else 0
    last = journal.scan(path, thorough=True).last if path.exists() else 0
    return max(0, held - last)


def abandon(store: Path) -> None:
    """Put a damaged store and its journal aside: nothing of them is wanted any more."""
    _set_aside(store)
    if journal.path_for(store).exists():
        files.set_aside(journal.path_for(store))


def _shorten(path: Path, extent: Extent) -> Path:
    """Cut a journal off before its damage; returns where it is kept as it was."""
    kept = files.free_name(path)
    try:
        with files.atomic(kept) as copy, path.open("rb") as stream:
            shutil.copyfileobj(stream, copy)
        with drafts.append(path) as whole:
            os.ftruncate(whole.fileno(), extent.end)
    except OSError as error:
        raise UnwrittenError(f"{path}: cannot be written: {error.strerror}") from error
    return kept


def _answers(db: Database) -> int:
    return int(db.scalar("SELECT count(*) FROM attempts WHERE verdict = 'answered'"))
