"""From the input file to rows and rejects in the store."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from llmbatch import formats
from llmbatch.core import drafts, exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import RAW_LIMIT, Record, Reject
from llmbatch.formats.base import Reader
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows.error_rows import ErrorRows
from llmbatch.store import snapshots
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Row, Snapshot, Source

STDIN = "-"


def format_of(spec: JobSpec) -> str:
    """The input's format. Raises UsageError when neither its name nor the spec tells."""
    if spec.input == STDIN and spec.input_format is None:
        raise UsageError("input -: say which format stdin has: --input-format csv|tsv|jsonl")
    return formats.detect(spec.input, spec.input_format)


def ingest(db: Database, spec: JobSpec, paths: JobPaths) -> Snapshot:
    """Bring the store's rows up to date with the input; a content already held is not read again.

    Raises UsageError when the input as a whole cannot be used.
    """
    if spec.input != STDIN and Path(spec.input).is_file():
        return _ingest_file(db, spec, Path(spec.input))
    # A pipe can be read only once, so its content is kept while it is hashed and read.
    try:
        with drafts.create(paths.spool) as spool:
            if spec.input == STDIN:
                shutil.copyfileobj(sys.stdin.buffer, spool)
            else:
                with Path(spec.input).open("rb") as pipe:
                    shutil.copyfileobj(pipe, spool)
        return _ingest_file(db, spec, paths.spool)
    finally:
        paths.spool.unlink(missing_ok=True)


def _ingest_file(db: Database, spec: JobSpec, path: Path) -> Snapshot:
    format_name = format_of(spec)
    before = _stat(path)
    digest = _digest(path, format_name, spec.id_column)
    held = snapshots.newest(db)
    if held is not None and held.source.digest == digest:
        return held
    with (
        formats.open_input(str(path)) as stream,
        formats.open_reader(spec.input, stream, format_name) as reader,
    ):
        _check_id_column(spec, reader.columns)

        error_rows = ErrorRows()

        def describe() -> Source:
            if _stat(path) != before:
                raise UsageError(f"{spec.input}: changed while it was read; run again")
            return Source(
                spec.input, format_name, digest, spec.id_column, error_rows.columns(reader.columns)
            )

        return snapshots.replace(db, _identified(reader, spec, error_rows), describe)


def _identified(reader: Reader, spec: JobSpec, error_rows: ErrorRows) -> Iterator[Row | Reject]:
    """Give every record its ordinal and its id; one without an id becomes a reject."""
    column = spec.id_column
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
        return Reject(record.line, f"no id in column {column!r}", record.data[:RAW_LIMIT])
    return Row(number, exact_json.cell(value), record)


def _check_id_column(spec: JobSpec, columns: list[str]) -> None:
    """A CSV tells its columns at once; in JSON Lines each record is checked on its own."""
    if spec.id_column is not None and columns and spec.id_column not in columns:
        raise UsageError(
            f"{spec.input}: no id column {spec.id_column!r}{nearest(spec.id_column, columns)}; "
            f"columns: {', '.join(columns)}"
        )


def _stat(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _digest(path: Path, format_name: str, id_column: str | None) -> str:
    """Names the content and how it is read; paths and times are not part of it."""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"sha256:{content} format:{format_name} id:{id_column or ''}"
