"""The reading half of a store: questions to one connection, and their answers in many forms."""

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from llmbatch.store import arrow_columns, faults, moments
from llmbatch.store.frames import Columns
from llmbatch.store.known import name_of
from llmbatch.store.views import Views

Value = TypeVar("Value")
Parameters = Sequence[Any] | Mapping[str, Any]
_CONTENT = (
    "SELECT '{table}', concat_ws('/', count(*), bit_xor(hash(record)), sum(hash(record))) "
    "FROM {table} AS record"
)
# What changes no table of the store begins so, maybe after comments.
_READS = re.compile(
    r"(?:\s*--[^\n]*\n)*\s*(?:SELECT|FROM|WITH|CREATE OR REPLACE TEMP|BEGIN|COMMIT)\b"
)


class Reading:
    """One connection that is read from. Not for use by two threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._views = Views()
        # The answers of `reread`, as long as this connection writes nothing.
        self._read: dict[str, list[dict[str, Any]]] = {}

    def _make_views(self, sql: str) -> None:
        for view in self._views.lacking(sql):
            self._connection.execute(view)

    def _ask(self, sql: str, parameters: Parameters) -> duckdb.DuckDBPyConnection:
        self._make_views(sql)
        if sql.startswith("ROLLBACK"):
            self._forget()
        elif not _READS.match(sql):
            self._read.clear()
        return self._connection.execute(sql, parameters)

    def _forget(self) -> None:
        """After a rollback, views that were made since are gone, and answers not true."""
        self._views.forget()
        self._read.clear()

    def execute(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run one statement and fetch everything, so that no result is left open."""
        with faults.reported(self.path):
            result: list[tuple[Any, ...]] = self._ask(sql, parameters).fetchall()
            return result

    def scalar(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first value of the first record, or None."""
        found = self.execute(sql, parameters)
        return found[0][0] if found else None

    def mappings(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All records as dicts by column name."""
        with faults.reported(self.path):
            relation = self._ask(sql, parameters)
            names = [column[0] for column in relation.description or []]
            return [dict(zip(names, record, strict=True)) for record in relation.fetchall()]

    def values(
        self, make: Callable[..., Value], sql: str, parameters: Parameters = ()
    ) -> list[Value]:
        """All records, each made by `make` from its columns by name. The two columns of a moment
        are one argument (see `moments`)."""
        return [make(**moments.folded(record)) for record in self.mappings(sql, parameters)]

    def reread(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All records as dicts by column name, of a question that is asked again and again: as long
        as this connection, the only one that writes, has written nothing since, the answer is that
        of before. For few records of the store's own tables only."""
        name = name_of(sql, parameters)
        found = self._read.get(name)
        if found is None:
            found = self.mappings(sql, parameters)
            self._read[name] = found
        return [dict(record) for record in found]

    def reread_values(
        self, make: Callable[..., Value], sql: str, parameters: Parameters = ()
    ) -> list[Value]:
        """The same, each made by `make` as `values` does."""
        return [make(**moments.folded(record)) for record in self.reread(sql, parameters)]

    def values_beside(
        self, make: Callable[..., Value], sql: str, batch: pa.Table, parameters: Parameters = ()
    ) -> list[Value]:
        """The same of a query that names the table `batch`."""
        with faults.reported(self.path):
            self._connection.register("batch", batch)
            try:
                return self.values(make, sql, parameters)
            finally:
                with suppress(duckdb.Error):
                    self._connection.unregister("batch")

    def columns(self, sql: str, parameters: Parameters = ()) -> Columns:
        """All records by column."""
        with faults.reported(self.path):
            relation = self._ask(sql, parameters)
            names = [column[0] for column in relation.description or []]
            records = relation.fetchall()
            return {name: [record[index] for record in records] for index, name in enumerate(names)}

    def integers(self, sql: str) -> "array[int]":
        """The first column of all records, in a ninth of the memory of a list: there may be ten
        million."""
        numbers = array("q")
        for chunk in self.arrow(sql).column(0).chunks:
            numbers.frombytes(arrow_columns.int64s(chunk).tobytes())
        return numbers

    def arrow(self, sql: str, parameters: Parameters = ()) -> pa.Table:
        """All records as an Arrow table."""
        with faults.reported(self.path):
            self._make_views(sql)
            return self._connection.sql(sql, params=parameters or None).to_arrow_table()

    def read_all(self) -> dict[str, str]:
        """Read every block of every table: the damage of most blocks shows only then. Returns
        names of the tables' contents, whatever the order of their records."""
        names = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY table_name"
        tables = [table for (table,) in self.execute(names)]
        asked = " UNION ALL ".join(_CONTENT.format(table=table) for table in tables)
        return {table: str(content) for table, content in self.execute(asked)}
