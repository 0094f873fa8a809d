"""The process of a user's query: it reads a request, and writes the rows as an Arrow stream.

It is a process of its own for three reasons: a file of the job's store that is opened and closed
in the process of a run loses its lock there; the kernel ends a query that takes too long; and a
query has the memory of nobody else.
"""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb
import orjson
import pyarrow as pa

from llmbatch.store import query_connection, query_errors, query_syntax
from llmbatch.store.query_errors import QueryError

_BATCH_ROWS = 2_048
# An Arrow batch is cut into ones of about so many bytes.
_BATCH_BYTES = 16 * 1024 * 1024
# Values of these types have no form of their own in Arrow.
_AS_TEXT = (
    "BIT", "UNION", "TIME WITH TIME ZONE", "TIME_TZ", "BIGNUM", "VARINT", "UHUGEINT", "GEOMETRY"
)  # fmt: skip
FAILED = 2


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query and its bounds. `folder`: where relative paths begin; `closed`: folders that it may
    not read; `temporary`: a folder for what does not fit in `memory`; `seconds`: its time."""

    text: str
    folder: str
    closed: tuple[str, ...]
    id_column: str | None
    memory: str
    temporary: str
    seconds: int

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))


def serve() -> int:
    """Answer the request on stdin; the exit code of the process."""
    request = QueryRequest(**orjson.loads(sys.stdin.buffer.read()))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(request.seconds)
    try:
        answer(request, sys.stdout.buffer)
    except QueryError as error:
        os.write(2, orjson.dumps(str(error)) + b"\n")
        return FAILED
    return 0


def answer(request: QueryRequest, out: BinaryIO) -> None:
    """Write the rows of the query, in an order that is the same each time: its own, or that of the
    id column and of all columns. Raises QueryError."""
    connection = query_connection.connect(request.memory, request.temporary)
    # Bytes from the places in the text that is run to those in the user's.
    offset: int | None = 0
    try:
        attached, text = query_connection.statements(connection, request.text)
        offset = _place(text, request.text)
        tree = query_syntax.parsed(connection, text)
        query_syntax.check_paths(tree, request.folder, request.closed)
        _attach(connection, attached, request, tree)
        os.chdir(request.folder)
        connection.execute("SET lock_configuration = true")
        columns = _bound(connection, text)
        final = _final(connection, text, tree, columns, request.id_column)
        offset = _place(text, request.text) - _place(text, final) if text in final else None
        _write(connection, final, columns, query_syntax.notes(tree, request.id_column), out)
    except duckdb.Error as error:
        raise query_errors.of_duckdb(error, request.text, offset) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise QueryError(" ".join(str(error).split())) from error
    finally:
        connection.close()


def _place(text: str, within: str) -> int:
    """The bytes before a text that is part of another."""
    return len(within.partition(text)[0].encode())


def _attach(
    connection: duckdb.DuckDBPyConnection,
    statements: list[str],
    request: QueryRequest,
    tree: query_syntax.Tree,
) -> None:
    for statement in statements:
        path, _ = query_connection.attachment(statement, request.folder)
        if query_syntax.is_in(Path(path), request.closed):
            raise QueryError(f"ATTACH {path}: is the job's own store, which a run writes")
        query_connection.attach(connection, statement, request.folder, query_syntax.tables(tree))


def _bound(connection: duckdb.DuckDBPyConnection, text: str) -> list[tuple[str, str]]:
    """The names and types of the columns of a query, which is not run. It is bound as the user
    wrote it: places in errors are places in it."""
    try:
        made = connection.sql(text)
    except duckdb.Error:
        connection.execute(text)  # which fails in the same way, and says where
        raise
    return list(zip(made.columns, map(str, made.types), strict=True))


def _final(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    tree: query_syntax.Tree,
    columns: list[tuple[str, str]],
    id_column: str | None,
) -> str:
    """The query as it is run: in order, and with values that Arrow lacks as text."""
    places = range(1, len(columns) + 1)
    positions = sorted(places, key=lambda place: columns[place - 1][0] != id_column)
    shown = ", ".join(
        f"CAST(#{place} AS VARCHAR)" if kind.startswith(_AS_TEXT) else f"#{place}"
        for place, (_, kind) in enumerate(columns, 1)
    )
    in_order = query_syntax.ordered(connection, tree, text, positions)
    return f"SELECT {shown} FROM (\n{in_order}\n)"


def _write(
    connection: duckdb.DuckDBPyConnection,
    final: str,
    columns: list[tuple[str, str]],
    notes: list[str],
    out: BinaryIO,
) -> None:
    with connection.sql(final).to_arrow_reader(_BATCH_ROWS) as reader:
        fields = [
            (name, pa.json_() if kind == "JSON" else field.type)
            for (name, kind), field in zip(columns, reader.schema, strict=True)
        ]
        schema = pa.schema(fields, {b"notes": orjson.dumps(notes)})
        with pa.ipc.new_stream(out, schema) as stream:
            for batch in reader:
                for part in _cut(batch):
                    stream.write_batch(_typed(part, schema))


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = max(1, batch.num_rows * _BATCH_BYTES // max(_BATCH_BYTES, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.ExtensionArray.from_storage(field.type, column)
        if isinstance(field.type, pa.BaseExtensionType)
        and not isinstance(column.type, pa.BaseExtensionType)
        else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
