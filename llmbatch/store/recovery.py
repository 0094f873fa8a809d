"""The recovery of store and journal: each is given the records that only the other one has."""

from collections.abc import Iterator
from pathlib import Path

from llmbatch.core import files
from llmbatch.store import faults, frames, journal, lineage
from llmbatch.store.database import Database
from llmbatch.store.frames import ORIGIN, Columns, Tables
from llmbatch.store.journal import DamagedError, Journal, Recovery
from llmbatch.store.lineage import Agreement
from llmbatch.store.statements import query

# Journals are written in this order, so that every beginning of one is a sound store.
_HISTORY = ("input_profiles",)
_BEFORE = (*_HISTORY, "field_orders", "runs", "engine_starts", "engine_deaths", "forecasts")
_WITH_CHECKPOINTS = ("checkpoints", "attempts")
_AFTER = ("reopenings", "run_ends")
DURABLE = (*_BEFORE, *_WITH_CHECKPOINTS, *_AFTER)
# What was found out of answers, and what names runs by their numbers, which begin anew.
_FOLLOWING = ("flags", "flag_passes", "known_failures", "run_changes")

# Both bound the memory: the records of a frame in a journal that is written anew, and the bytes of
# the frames that are replayed in one transaction.
_WINDOW = 5_000
_REPLAYED_AT_ONCE = 2**24


def join(db: Database) -> None:
    """Open the journal of a store that is open for writing, make the two agree, and let the store
    record into it. `db.recovery` then has the steps that were taken.

    Raises DamagedError when the journal has lost records that the store lacks, ForeignError when
    the two have different histories; then neither is changed.
    """
    store = db.path
    path = journal.path_for(store)
    opened = Journal.open(path)
    try:
        agreement = _compare(db, store, opened)
        if agreement.is_rewritten and agreement.is_kept:
            _require_whole(db, store)
        kept = _keep_journal(path) if agreement.is_kept else None
        if agreement.missing:
            _replay(db, opened, agreement.stored)
        if agreement.is_rewritten:
            opened.close()
            _write_anew(db, path, agreement.newest)
            opened = Journal.open(path)
        elif agreement.torn:
            opened.cut()
        number = newest(db)
        opened.follow(number, lineage.link(db, number))
    except BaseException:
        opened.close()
        raise
    db.use_journal(opened)
    torn = 0 if agreement.is_rewritten else agreement.torn
    db.recovery = Recovery(agreement.missing, torn, agreement.is_rewritten, kept)


def _require_whole(db: Database, store: Path) -> None:
    """Raise DamagedError if the store is damaged, too: no journal must be written anew from it."""
    try:
        db.read_all()
    except DamagedError as error:
        raise DamagedError(
            f"{store.parent}: the store and its journal are both damaged; nothing was changed. To "
            f"save what is whole in both: llmbatch repair {store.parent}"
        ) from error


def _compare(db: Database, store: Path, opened: Journal) -> Agreement:
    """Compare the store with its open journal; raises as `join` does."""
    stored, worked = newest(db), has_work(db)
    return lineage.compare(
        db, store, opened.descriptor, opened.extent, stored=stored, worked=worked
    )


def _keep_journal(path: Path) -> Path:
    with journal.written(path):
        return files.keep_copy(path)


def newest(db: Database) -> int:
    """The number of the newest frame that the store holds; 0 before the first."""
    return int(db.scalar("SELECT coalesce(max(number), 0) FROM commits"))


def forget_runs(db: Database) -> None:
    """Remove all runs and their answers, from the store and its journal. Rows and plan stay, and
    what former inputs were like."""
    empty_durable_tables(db)
    db.close_journal()
    join(db)


def empty_durable_tables(db: Database) -> None:
    """Empty the durable tables, and those that follow from them. One more frame is counted than the
    journal has, so that the next opening, if this process dies first, writes the journal anew."""
    number = newest(db)
    with db.transaction():
        for table in (*DURABLE, *_FOLLOWING):
            if table not in _HISTORY:
                db.execute(f"DELETE FROM {table}")
        # The last one shows that the journal is the store's own.
        db.execute("DELETE FROM commits WHERE number <> ?", [number])
        db.append({"commits": {"number": [number + 1]}})


def has_work(db: Database) -> bool:
    """True if the store has records that belong into its journal."""
    held = " UNION ALL ".join(f"SELECT 1 FROM {table}" for table in DURABLE)
    return bool(db.scalar(f"SELECT EXISTS ({held})"))


def _replay(db: Database, opened: Journal, stored: int) -> None:
    """Insert the frames that the store lacks, many in one transaction."""
    tables: list[Tables] = []
    commits: Columns = {"number": [], "link": []}
    waiting = 0
    for frame, content in opened.frames(stored):
        tables.append(content)
        commits["number"].append(frame.number)
        commits["link"].append(frame.link)
        waiting += frame.raw
        if waiting >= _REPLAYED_AT_ONCE:
            _insert(db, opened.path, tables, commits)
            tables, commits, waiting = [], {"number": [], "link": []}, 0
    if tables:
        _insert(db, opened.path, tables, commits)


def _insert(db: Database, path: Path, tables: list[Tables], commits: Columns) -> None:
    with db.transaction():
        for merged in _merge(tables):
            with faults.known(path):
                db.append(merged)
        db.append({"commits": commits})


def _merge(tables: list[Tables]) -> Iterator[dict[str, Columns]]:
    """The records of many frames, merged by table and columns, which depend on the version that
    wrote the frame."""
    merged: dict[tuple[str, ...], Columns] = {}
    for content in tables:
        for table, columns in content.items():
            known = merged.setdefault((table, *columns), {name: [] for name in columns})
            for name, values in columns.items():
                known[name].extend(values)
    for (table, *_), columns in merged.items():
        yield {table: columns}


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _write_anew(db: Database, path: Path, used: int) -> None:
    """Write the journal anew from all records of the store, under numbers that were never used.

    One number is left out, so that an older copy of the store cannot be continued with this
    journal. The store counts the frames before the journal gets its name: if that fails, the
    journal is behind the store and is written again.
    """
    number, link = used + 1, ORIGIN
    with journal.written(path), files.atomic(path) as stream:
        for tables in _all_records(db):
            number += 1
            frame = frames.encode(number, tables, link)
            link = frames.link_of(frame)
            stream.write(frame)
        if number > used + 1:
            db.append({"commits": {"number": [number], "link": [link]}})


def _all_records(db: Database) -> Iterator[Tables]:
    for table in _BEFORE:
        yield from _records_of(db, table)
    for run, first, last in _checkpoint_ranges(db):
        bounds = [run, first, last]
        found = {name: db.columns(query(f"journal_{name}"), bounds) for name in _WITH_CHECKPOINTS}
        yield {table: columns for table, columns in found.items() if _length(columns)}
    for table in _AFTER:
        yield from _records_of(db, table)


def _records_of(db: Database, table: str) -> Iterator[Tables]:
    last = db.scalar(f"SELECT max(rowid) FROM {table}")
    for first in range(0, -1 if last is None else last + 1, _WINDOW):
        window = f"SELECT * FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        columns = db.columns(window, [first, first + _WINDOW - 1])
        if _length(columns):
            yield {table: columns}


def _checkpoint_ranges(db: Database) -> Iterator[tuple[int, int, int]]:
    """Neighbouring checkpoints of one run that fit into one frame, as (run, first, last)."""
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
