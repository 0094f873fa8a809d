"""The store as a value: one connection to its DuckDB file, with statements and transactions."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa

from llmbatch.store import arrow_columns, connection, faults, moments, statements
from llmbatch.store.frames import Columns, Tables
from llmbatch.store.journal import Journal, Recovery

Value = TypeVar("Value")
Parameters = Sequence[Any] | Mapping[str, Any]


class Database:
    """One connection to a store (see `opening`). Not for use by two threads: see `cursor`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path
        # Beside which long texts lie (see `long_texts`).
        self.texts = path
        self._journal: Journal | None = None
        # Where names of tables are looked up.
        self._catalogs = "job"
        # The steps that made store and journal agree at the opening.
        self.recovery = Recovery()

    def use_journal(self, journal: Journal) -> None:
        """Record into this journal, which agrees with the store."""
        self.close_journal()
        self._journal = journal

    def close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def close(self) -> None:
        # All that was committed is safe, even if closing fails for want of a disk.
        with suppress(duckdb.Error):
            self._connection.close()
        self.close_journal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def cursor(self, *, has_views: bool = True) -> "Database":
        """A second connection to the same open file, for another thread."""
        cursor = self._connection.cursor()
        other = Database(cursor, self.path)
        other.texts = self.texts
        other._look_in(self._catalogs)
        if has_views:
            other.create_views()
        return other

    def use(self, catalogs: str) -> None:
        """Look names of tables up in these catalogs, the first that has one winning."""
        self._look_in(catalogs)
        self.create_views()

    def _look_in(self, catalogs: str) -> None:
        self._catalogs = catalogs
        self.execute(f"SET search_path = '{catalogs}'")

    def create_views(self) -> None:
        """Make the views of the states of rows and requests, which belong to the connection."""
        for statement in statements.load("states.sql").values():
            self.execute(statement)

    def execute(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run one statement and fetch everything, so that no result is left open."""
        with faults.reported(self.path):
            result: list[tuple[Any, ...]]
            result = self._connection.execute(sql, parameters).fetchall()
            return result

    def scalar(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first value of the first record, or None."""
        found = self.execute(sql, parameters)
        return found[0][0] if found else None

    def mappings(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All records as dicts by column name."""
        with faults.reported(self.path):
            relation = self._connection.execute(sql, parameters)
            names = [column[0] for column in relation.description or []]
            return [dict(zip(names, record, strict=True)) for record in relation.fetchall()]

    def values(
        self, make: Callable[..., Value], sql: str, parameters: Parameters = ()
    ) -> list[Value]:
        """All records, each made by `make` from its columns by name. The two columns of a moment
        are one argument (see `moments`)."""
        return [make(**moments.folded(record)) for record in self.mappings(sql, parameters)]

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
            relation = self._connection.execute(sql, parameters)
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
            return self._connection.sql(sql, params=parameters or None).to_arrow_table()

    def insert(self, sql: str, batch: pa.Table, parameters: Parameters = ()) -> None:
        """Run an INSERT that selects from `batch`: far cheaper than one statement a record."""
        with faults.reported(self.path):
            self._connection.register("batch", batch)
            try:
                self.execute(sql, parameters)
            finally:
                # After an error the transaction may accept no further statement.
                with suppress(duckdb.Error):
                    self._connection.unregister("batch")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing.

        An exception from COMMIT means that the outcome is unknown: the caller must not use this
        connection any more.
        """
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            # A failed statement may have ended the transaction already.
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def record(self, tables: Tables) -> None:
        """Append records, by table and column, in one transaction that survives a power cut: it
        is synced in the journal before the store commits it."""
        assert self._journal is not None, "only the connection that opened the store records"
        with self.transaction():
            self.append(tables)
            counted = [self._journal.append(tables), self._journal.link]
            self.execute("INSERT INTO commits (number, link) VALUES (?, ?)", counted)
        self._journal.confirm()

    def read_all(self) -> None:
        """Read every block of every table: the damage of most blocks shows only then."""
        for (table,) in self.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary"):
            self.scalar(f"SELECT sum(hash(record) % 2) FROM {table} AS record")

    def append(self, tables: Tables) -> None:
        """Insert records, by table and column."""
        for table, columns in tables.items():
            self.insert(
                f"INSERT INTO {table} BY NAME SELECT * FROM batch", arrow_columns.table(columns)
            )

    @contextmanager
    def attached_file(self, path: Path, name: str) -> Iterator[None]:
        """A DuckDB file, readable under `name`; see `opening.attached` for a store. Raises
        LockedError while a run holds it."""
        with faults.openable(path):
            self._connection.execute(f"ATTACH {connection.quoted(path)} AS {name} (READ_ONLY)")
        try:
            yield
        finally:
            self.execute(f"DETACH {name}")

    def copy_to(self, path: Path) -> None:
        """Copy all that is committed into a new DuckDB file (see `live_copy`)."""
        self.execute(f"ATTACH {connection.quoted(path)} AS copy (STORAGE_VERSION 'v1.5.0')")
        try:
            self.execute("COPY FROM DATABASE job TO copy")
            self.execute("CHECKPOINT copy")
        finally:
            self.execute("DETACH copy")

    def interrupt(self) -> None:
        """Give up the statement that another thread has under way, if there is one."""
        self._connection.interrupt()

    def compact(self) -> None:
        """Fold the write-ahead log into the file."""
        self.execute("CHECKPOINT job")
