"""From the input file to rows and rejects in the store."""

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmbatch import formats
from llmbatch.core import drafts, exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import RAW_LIMIT, Record, Reject
from llmbatch.formats.base import Reader
from llmbatch.pipeline.rows.error_rows import ErrorRows
from llmbatch.pipeline.rows.guards import Guard, unguarded
from llmbatch.pipeline.rows.input_file import InputFile
from llmbatch.store import snapshots
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Row, Snapshot, Source

# The rules by which inputs are read: others make other rows of the same content.
_READING = 2


def ingest(db: Database, source: InputFile, spool: Path, guard: Guard = unguarded) -> Snapshot:
    """Bring the store's rows up to date with the input; a content already held is not read again.
    What can be read only once is kept in the file `spool` meanwhile.

    Raises UsageError when the input as a whole cannot be used, and where the `guard` does.
    """
    if source.path is not None and source.path.is_file():
        return _ingest_file(db, source, source.path, guard)
    # A pipe can be read only once, so its content is kept while it is hashed and read.
    try:
        if source.query is not None:
            notes = source.query.write(spool, source.id_column)
            return _ingest_file(db, source, spool, guard, notes)
        with drafts.create(spool) as kept:
            if source.path is None:
                shutil.copyfileobj(sys.stdin.buffer, kept)
            else:
                with source.path.open("rb") as pipe:
                    shutil.copyfileobj(pipe, kept)
        return _ingest_file(db, source, spool, guard)
    finally:
        spool.unlink(missing_ok=True)


def _ingest_file(
    db: Database, source: InputFile, path: Path, guard: Guard, notes: Sequence[str] = ()
) -> Snapshot:
    format_name = source.format_name
    before = _stat(path)
    digest = _digest(path, source)
    newest = snapshots.newest(db)
    is_read = newest is not None and newest.source.digest == digest
    if newest and is_read and snapshots.has_long_texts(db, newest.snapshot):
        guard(db, newest)
        return newest
    with (
        formats.open_input(str(path)) as stream,
        formats.open_reader(source.name, stream, format_name, source.options) as reader,
    ):
        _check_id_column(source, reader.columns)

        error_rows = ErrorRows()

        def describe() -> Source:
            if _stat(path) != before:
                raise UsageError(f"{source.name}: changed while it was read; run again")
            return Source(
                source.name,
                format_name,
                digest,
                source.id_column,
                error_rows.columns(reader.columns),
                [*notes, *reader.notes],
                [source.name],
            )

        identified = _identified(reader, source.id_column, error_rows)
        return snapshots.replace(db, identified, describe, source.choice, guard)


def _identified(
    reader: Reader, column: str | None, error_rows: ErrorRows
) -> Iterator[Row | Reject]:
    """Give every record its ordinal and its id; one without an id becomes a reject."""
    for number, item in enumerate(reader, start=1):
        if isinstance(item, Reject):
            yield item
        elif column is None:
            yield Row(number, str(item.line), error_rows(item))
        else:
            yield _with_id(number, error_rows(item), column)


def _with_id(number: int, record: Record, column: str) -> Row | Reject:
    value = exact_json.parse_record(record.data).get(column)
    if value is None or value == "":
        raw = record.data[:RAW_LIMIT]
        return Reject(record.line, f"no id in column {column!r}", raw, record.file)
    return Row(number, exact_json.cell(value), record)


def _check_id_column(source: InputFile, columns: list[str]) -> None:
    """The columns of a CSV are known at once; in JSON Lines each record is checked on its own."""
    name = source.id_column
    if name is not None and columns and name not in columns:
        raise UsageError(
            f"{source.name}: no id column {name!r}{nearest(name, columns)}; "
            f"columns: {', '.join(columns)}"
        )


def _stat(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _digest(path: Path, source: InputFile) -> str:
    """Names the content and how it is read; paths and times are not part of it."""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    how = exact_json.dump_record(source.options.given())
    return (
        f"sha256:{content} format:{source.format_name} id:{source.id_column or ''} "
        f"reading:{_READING} {how}{source.choice or ''}"
    )
