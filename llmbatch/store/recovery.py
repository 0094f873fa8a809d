"""Making a store and its journal agree: each is given what only the other one holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llmbatch.core.errors import UnwrittenError
from llmbatch.store import files, journal
from llmbatch.store.journal import Columns, DamagedError, Extent, Journal, Tables
from llmbatch.store.statements import query

if TYPE_CHECKING:
    from llmbatch.store.database import Database

# Written in this order, so that every beginning of a journal is a sound store.
_BEFORE = ("field_orders", "runs", "engine_starts", "engine_deaths", "forecasts")
_WITH_CHECKPOINTS = ("checkpoints", "attempts")
_AFTER = ("reopenings", "run_ends")
DURABLE = (*_BEFORE, *_WITH_CHECKPOINTS, *_AFTER)

# Both bound the memory: how many records a frame of a journal that is written anew holds, and how
# many bytes of frames are replayed in one transaction.
_WINDOW = 5_000
_REPLAYED_AT_ONCE = 2**24


def join(db: "Database", store: Path) -> Journal:
    """Open the journal of a store that is open for writing, and make the two agree."""
    path = journal.path_for(store)
    opened = Journal.open(path)
    try:
        held = newest(db)
        _check(db, opened, held)
        if opened.extent.torn and not opened.extent.beyond:
            opened.cut()
        if opened.extent.last > held:
            _replay(db, opened, held)
        elif opened.extent.last < held or (held == 0 and has_work(db)):
            opened.close()
            _write_anew(db, path, max(held, opened.extent.beyond))
            opened = Journal.open(path)
            opened.follow(newest(db))
    except BaseException:
        opened.close()
        raise
    return opened


def newest(db: "Database") -> int:
    """The number of the newest frame that the store holds; 0 before the first."""
    return int(db.scalar("SELECT coalesce(max(number), 0) FROM commits"))


def forget(db: "Database") -> None:
    """Empty the durable tables. One more frame is counted than the journal has, so that the next
    opening, should this process not come to it, writes the journal anew."""
    number = newest(db) + 1
    with db.transaction():
        for table in (*DURABLE, "commits"):
            db.execute(f"DELETE FROM {table}")
        db.append({"commits": {"number": [number]}})


def has_work(db: "Database") -> bool:
    """Whether the store holds anything that belongs into its journal."""
    return any(db.scalar(f"SELECT EXISTS (SELECT 1 FROM {table})") for table in DURABLE)


def is_older(db: "Database", extent: Extent, held: int) -> bool:
    """Whether the store is from before the journal begins, so that it cannot be continued."""
    return bool(extent.last) and (held == 0 or held + 1 < extent.first) and has_work(db)


def _check(db: "Database", opened: Journal, held: int) -> None:
    if opened.extent.beyond > held:
        raise opened.damaged()
    if is_older(db, opened.extent, held):
        raise DamagedError(
            f"{opened.path.parent}: the store is older than its journal; to put it aside and make "
            f"a new one of the journal: llmbatch repair {opened.path.parent}"
        )


def _replay(db: "Database", opened: Journal, held: int) -> None:
    """Insert the frames that the store lacks, many in one transaction."""
    tables: list[Tables] = []
    numbers: list[int] = []
    waiting = 0
    for frame, content in opened.frames(held):
        tables.append(content)
        numbers.append(frame.number)
        waiting += frame.raw
        if waiting >= _REPLAYED_AT_ONCE:
            _insert(db, tables, numbers)
            tables, numbers, waiting = [], [], 0
    if numbers:
        _insert(db, tables, numbers)


def _insert(db: "Database", tables: list[Tables], numbers: list[int]) -> None:
    with db.transaction():
        for merged in _merged(tables):
            db.append(merged)
        db.append({"commits": {"number": numbers}})


def _merged(tables: list[Tables]) -> Iterator[dict[str, Columns]]:
    """One statement for each table, unless versions that know other columns took turns."""
    held: dict[tuple[str, ...], Columns] = {}
    for content in tables:
        for table, columns in content.items():
            known = held.setdefault((table, *columns), {name: [] for name in columns})
            for name, values in columns.items():
                known[name].extend(values)
    for (table, *_), columns in held.items():
        yield {table: columns}


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _write_anew(db: "Database", path: Path, used: int) -> None:
    """Write the journal of all that the store holds, under numbers that were never used.

    One number is left out: a store from before then does not look as if it had only to be
    continued. The store counts the frames first: should the journal not come to its name, it
    is behind the store and is written again.
    """
    number = used + 1
    try:
        with files.atomic(path) as stream:
            for tables in _everything(db):
                number += 1
                stream.write(journal.encode(number, tables))
            if number > used + 1:
                db.append({"commits": {"number": [number]}})
    except OSError as error:
        raise UnwrittenError(
            f"{path}: cannot be written: {error.strerror}; run the same command again"
        ) from error


def _everything(db: "Database") -> Iterator[Tables]:
    for table in _BEFORE:
        yield from _whole(db, table)
    for run, first, last in _checkpoint_ranges(db):
        bounds = [run, first, last]
        found = {name: db.columns(query(f"journal_{name}"), bounds) for name in _WITH_CHECKPOINTS}
        yield {table: columns for table, columns in found.items() if _length(columns)}
    for table in _AFTER:
        yield from _whole(db, table)


def _whole(db: "Database", table: str) -> Iterator[Tables]:
    last = db.scalar(f"SELECT max(rowid) FROM {table}")
    for first in range(0, -1 if last is None else last + 1, _WINDOW):
        window = f"SELECT * FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        columns = db.columns(window, [first, first + _WINDOW - 1])
        if _length(columns):
            yield {table: columns}


def _checkpoint_ranges(db: "Database") -> Iterator[tuple[int, int, int]]:
    """Checkpoints of one run in a row that fit into one frame: (run, first, last)."""
    run = first = last = size = 0
    for next_run, checkpoint, records in db.execute(query("checkpoint_sizes")):
        if size and (next_run != run or size + records > _WINDOW):
            yield run, first, last
            size = 0
        if not size:
            run, first = next_run, checkpoint
        last, size = checkpoint, size + records
    if size:
        yield run, first, last
