"""A table in a DuckDB file of the user's, replaced as a whole; all else in the file stays."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from llmbatch.core import drafts, files
from llmbatch.core.errors import UsageError
from llmbatch.store import connection, faults

_SETTINGS = (
    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
    "SET preserve_insertion_order = true; SET memory_limit = '700MB'; SET threads = 2;"
)
# Files of this version can be read by every DuckDB from 1.0 on.
_ATTACH = "ATTACH {path} AS output{options}"
_NEW = " (STORAGE_VERSION 'v1.0.0')"
_READ = " (READ_ONLY)"


@contextmanager
def draft(path: Path) -> Iterator[BinaryIO]:
    """A file for the rows, as Parquet, beside the database; it is gone after the block."""
    with drafts.draft(path) as (rows, stream):
        try:
            yield stream
        finally:
            rows.unlink(missing_ok=True)


def replace(path: Path, table: str, rows: Path) -> None:
    """Make the rows of a Parquet file the content of a table, in one transaction; a database that
    is not there appears when it is whole. Raises UsageError for a file that cannot be used."""
    if path.exists():
        _load(path, table, rows, is_new=False)
        return
    with drafts.draft(path) as (new, stream):
        stream.close()
        new.unlink()
        _load(new, table, rows, is_new=True)
        files.publish(new, path)


def _load(path: Path, table: str, rows: Path, *, is_new: bool) -> None:
    import pyarrow.parquet as pq  # 10 MiB, for these outputs alone

    with _attached(path, _NEW if is_new else "") as database:
        source = connection.quoted(rows)
        name = f"output.{_identifier(table)}"
        columns = ", ".join(_column(field) for field in pq.read_schema(rows))
        rows_as = f"SELECT {columns} FROM read_parquet({source})"
        database.execute(f"CREATE OR REPLACE TABLE {name} AS {rows_as}")
        database.execute("CHECKPOINT output")


def columns(path: Path, table: str) -> list[str] | None:
    """The columns of a table; None if the database has no such table. Raises UsageError for a file
    that is no database."""
    with _attached(path, _READ) as database:
        found = database.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'output'"
            " AND schema_name = 'main' AND lower(table_name) = lower(?) ORDER BY column_index",
            [table],
        ).fetchall()
    return [name for (name,) in found] or None


@contextmanager
def as_parquet(path: Path, table: str) -> Iterator[Path]:
    """The rows of a table as a Parquet file, which is gone after the block. Raises UsageError for a
    file that is no database, or has no such table."""
    if columns(path, table) is None:
        raise UsageError(f"{path}: has no table {table!r}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        with _attached(path, _READ) as database:
            source = f"output.{_identifier(table)}"
            database.execute(f"COPY {source} TO {connection.quoted(rows)} (FORMAT parquet)")
        yield rows


def _column(field: pa.Field) -> str:
    """A column as it is read, but for lists of a fixed size, which Parquet does not know."""
    name = _identifier(field.name)
    if not pa.types.is_fixed_size_list(field.type):
        return name
    return f"CAST({name} AS FLOAT[{field.type.list_size}]) AS {name}"


@contextmanager
def _attached(path: Path, options: str) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with closing(duckdb.connect(":memory:")) as database:
            database.execute(_SETTINGS)
            database.execute(_ATTACH.format(path=connection.quoted(path), options=options))
            yield database
    except duckdb.Error as error:
        what = faults.line(error)
        if "lock" in what.lower():
            what = f"another program has it open; close it there and run again ({what})"
        raise UsageError(f"{path}: cannot be used as a DuckDB file: {what[:500]}") from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
