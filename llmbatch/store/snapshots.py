"""Snapshots: one reading of the input, as rows and rejects."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa

from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.core.errors import LockedError
from llmbatch.core.records import Record, Reject
from llmbatch.store import arrow_columns, long_texts, own_store
from llmbatch.store.database import Database
from llmbatch.store.statements import query

# Large batches, because DuckDB's cost per statement is that of thousands of rows; but of no more
# characters than memory holds several times over.
_BATCH = 50_000
_CHARACTERS = 2_000_000
# A window may hold so many bytes, or one row.
_WINDOW_BYTES = 8_000_000

# The columns of the tables, in their order.
_ROWS = pa.schema(
    [
        ("snapshot", pa.int64()),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("id", pa.string()),
        ("data", pa.string()),
        ("file", pa.int64()),
        ("text_at", pa.int64()),
        ("text_bytes", pa.int64()),
    ]
)
_REJECTS = pa.schema(
    [
        ("snapshot", pa.int64()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("file", pa.int64()),
    ]
)

TEXTS = "rows"
"""The name of the files that hold long records."""


PLANNED = ("planned_rows", "requests", "escalations", "cascade_stages")
"""The tables that hold the current plan."""


@dataclass(frozen=True, slots=True)
class Source:
    """The input that was read, complete only after the reading. `digest` names the content and how
    it is read; `notes` say what was found out of it, a line each; `files`: the names of its files,
    in the order in which rows and rejects count them (none: the input is one, `input`)."""

    input: str
    format: str
    digest: str
    id_column: str | None
    columns: list[str]
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reading of the input, and the numbers of its rows and rejects. `rows_read`: with those that
    were not chosen."""

    snapshot: int
    source: Source
    row_count: int
    reject_count: int
    rows_read: int


@dataclass(frozen=True, slots=True)
class Row:
    """A record that has its id. `row` is its ordinal in the input, from 1, rejects included."""

    row: int
    id: str
    record: Record


def newest(db: Database) -> Snapshot | None:
    """The newest snapshot, or None before the first."""
    found = db.reread(query("newest_snapshot"))
    if not found:
        return None
    record = found[0]
    source = Source(
        record["input"],
        record["format"],
        record["digest"],
        record["id_column"],
        orjson.loads(record["columns"]),
        _list(record["notes"]),
        _list(record["files"]),
    )
    rows, rejects, read = (record[name] for name in ("row_count", "reject_count", "rows_read"))
    return Snapshot(record["snapshot"], source, rows, rejects, rows if read is None else read)


def _list(text: str | None) -> list[str]:
    """A list that is kept as JSON; older versions kept none."""
    return [] if text is None else list(orjson.loads(text))


class Choice(Protocol):
    """A choice of some of the rows that were read."""

    def rows(self, db: Database, columns: list[str]) -> list[int]:
        """The numbers of the chosen ones of the rows in the store, ascending."""

    def note(self, chosen: int, read: int) -> str:
        """A line that says that these are not all."""


def replace(
    db: Database,
    items: Iterable[Row | Reject],
    describe: Callable[[], Source],
    choice: Choice | None = None,
    check: Callable[[Database, Snapshot], None] | None = None,
    carry: Callable[[Database, int], None] | None = None,
) -> Snapshot:
    """Make `items`, or the chosen ones of them and all rejects, the current rows and rejects, in
    one transaction.

    `describe` is called after the last item; where it or `check` raises, all stays as it was. The
    plan of the earlier rows is removed with them, after `carry` has taken what it can of it: it
    gets the number of the new snapshot, whose rows stand beside those of the earlier one then.
    """
    earlier = newest(db)
    number = earlier.snapshot + 1 if earlier else 1
    with db.transaction():
        with long_texts.Writer(db.texts, TEXTS, number) as long:
            for batch in _batches(items):
                _insert(db, number, batch, long)
        source = describe()
        if carry is not None:
            carry(db, number)
        _drop_earlier(db, number)
        if source.id_column is not None:
            db.execute(query("reject_duplicate_ids"))
            db.execute(query("delete_duplicate_ids"))
        read = int(db.scalar(query("count_rows")))
        if choice is not None:
            chosen = choice.rows(db, source.columns)
            db.insert(query("keep_rows"), arrow_columns.table({"row": chosen}))
            source.notes.append(choice.note(len(chosen), read))
        db.execute(query("insert_snapshot"), _parameters(number, source) | {"rows_read": read})
        made = newest(db)
        assert made is not None
        if check is not None:
            check(db, made)
    long_texts.remove_others(db.texts, TEXTS, number)
    return made


def _drop_earlier(db: Database, number: int) -> None:
    """Remove the rows and rejects of all snapshots but this one, and the plan."""
    for table in ("rows", "rejects"):
        db.execute(f"DELETE FROM {table} WHERE snapshot <> $snapshot", {"snapshot": number})
    for table in PLANNED:
        db.execute(f"DELETE FROM {table}")


@dataclass(frozen=True, slots=True)
class FormerInputs:
    """The numbers of rows in the inputs of a job's runs: of the last one, and the greatest."""

    last: int
    most: int


def former_inputs(db: Database, name: str = "job") -> FormerInputs | None:
    """The inputs of the runs in the store attached as `name`; None before the first run."""
    found = db.mappings(
        f"SELECT snapshots.* FROM {name}.runs JOIN {name}.plans USING (plan) "
        f"JOIN {name}.snapshots ON snapshots.snapshot = plans.snapshot ORDER BY runs.run"
    )
    # Older versions have read all rows that they kept.
    rows = [record.get("rows_read") or record["row_count"] for record in found]
    return FormerInputs(rows[-1], max(rows)) if rows else None


def former_inputs_in(db: Database, store: Path) -> FormerInputs | None:
    """Those of another store; None where there is none, and while a run holds it."""
    if not store.is_file():
        return None
    with suppress(LockedError), own_store.attached(db, store):
        return former_inputs(db, "own_store")
    return None


def _parameters(number: int, source: Source) -> dict[str, object]:
    lists = ("columns", "notes", "files")
    return asdict(source) | {
        **{name: orjson.dumps(getattr(source, name)).decode() for name in lists},
        "snapshot": number,
        "ingested_at": utc(clock.now()),
    }


def _insert(db: Database, number: int, batch: list[Row | Reject], long: long_texts.Writer) -> None:
    rows = [item for item in batch if isinstance(item, Row)]
    rejects = [item for item in batch if isinstance(item, Reject)]
    if rows:
        texts = [_kept(item.record.data, long) for item in rows]
        columns: list[list[Any]] = [
            [number] * len(rows),
            [item.row for item in rows],
            [item.record.line for item in rows],
            [item.id for item in rows],
            [data for data, _, _ in texts],
            [item.record.file for item in rows],
            [at for _, at, _ in texts],
            [size for _, _, size in texts],
        ]
        db.fill("rows", arrow_columns.typed_table(columns, _ROWS))
    if rejects:
        columns = [
            [number] * len(rejects),
            [item.line for item in rejects],
            [item.reason for item in rejects],
            [item.raw for item in rejects],
            [item.file for item in rejects],
        ]
        db.fill("rejects", arrow_columns.typed_table(columns, _REJECTS))


def _kept(data: str, long: long_texts.Writer) -> tuple[str, int | None, int | None]:
    """The part of a record that the table holds, and the place of all of it if it is long."""
    if len(data) < long_texts.LONG:
        return data, None, None
    return long_texts.short_record(data), *long.put(data)


def _batches(items: Iterable[Row | Reject]) -> Iterator[list[Row | Reject]]:
    batch: list[Row | Reject] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.record.data if isinstance(item, Row) else item.raw)
        if len(batch) >= _BATCH or size >= _CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def numbers(db: Database) -> Sequence[int]:
    """The numbers of the rows, ascending."""
    return db.integers(query("row_numbers"))


def rows_at(db: Database, rows: Sequence[int]) -> list[tuple[int, str]]:
    """These rows as (row, data), in order."""
    found = db.execute(query("rows_by_number"), {"rows": list(rows)})
    return [(row, whole(db, data, *place)) for row, data, *place in found]


def windows(db: Database, size: int) -> Iterator[list[tuple[int, str]]]:
    """The rows as (row, data), in order, in windows of at most `size` rows, and of few bytes."""
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows"))
    for first, last in ranges(db, range(1, end + 1), size):
        found = db.execute(query("rows_window"), [first, last])
        yield [(row, whole(db, data, *place)) for row, data, *place in found]


def ranges(db: Database, rows: range, size: int) -> Iterator[tuple[int, int]]:
    """The first and last rows of windows of at most `size` rows, and of few bytes."""
    for first in rows[::size]:
        last = min(first + size, rows.stop) - 1
        window = {"first": first, "last": last, "bytes": _WINDOW_BYTES}
        yield from db.execute(query("row_windows"), window)


def whole(db: Database, data: str, snapshot: int, at: int | None, size: int) -> str:
    """The record of which the table has `data`. Raises StoreError where a long one is gone."""
    return long_texts.found(db.texts, TEXTS, snapshot, data, at, size)


def has_long_texts(db: Database, snapshot: int) -> bool:
    """True if all long records of the snapshot are there, or it has none."""
    size = db.scalar(query("long_texts_of_rows"))
    return long_texts.is_whole(db.texts, TEXTS, snapshot, size)
