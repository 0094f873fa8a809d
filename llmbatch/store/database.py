"""The store as a value: one connection to its DuckDB file, with statements and transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import duckdb
import pyarrow as pa

from llmbatch.store import arrow_columns, connection, faults, statements
from llmbatch.store.connection import Instance
from llmbatch.store.frames import Tables
from llmbatch.store.journal import Journal, Recovery
from llmbatch.store.known import Known, name_of
from llmbatch.store.reading import Parameters, Reading, Value


class Carried(NamedTuple):
    """The plan, and its digest, from which rows are carried over (see `carrying`)."""

    plan: int
    digest: str


class Database(Reading):
    """One connection to a store (see `opening`). Not for use by two threads: see `cursor`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        instance: Instance | None = None,
    ) -> None:
        super().__init__(connection, path)
        # None for a second connection to a store.
        self._instance = instance
        # Beside which long texts lie (see `long_texts`).
        self.texts = path
        self._journal: Journal | None = None
        # Where names of tables are looked up.
        self._catalogs = "job"
        # The steps that made store and journal agree at the opening.
        self.recovery = Recovery()
        # The findings that are not made again; None where all are (see `recall`).
        self.known: Known | None = None
        self._stamp: str | None = None
        self.carried: Carried | None = None

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
            (self._instance or self._connection).close()
        self.close_journal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if exc[0] is None and self._instance is not None:
            with suppress(duckdb.Error):
                connection.give_back(self._instance)
            self.close_journal()
        else:
            self.close()

    def cursor(self) -> "Database":
        """A second connection to the same open file, for another thread."""
        other = Database(self._connection.cursor(), self.path)
        other.texts = self.texts
        other.use(self._catalogs)
        return other

    def use(self, catalogs: str) -> None:
        """Look names of tables up in these catalogs, the first that has one winning."""
        self._catalogs = catalogs
        self.execute(f"SET search_path = '{catalogs}'")
        self._views.forget()

    def remember(self) -> None:
        """Let `recall` take what is known of a store that holds the same (see `known`)."""
        self.known = Known(self.path)

    def recall(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All records of a query as dicts by column name; one whose answer is known is not asked.
        Only for what rows, plan, answers and flags decide."""
        if self.known is None:
            return self.reread(sql, parameters)
        name = name_of(sql, parameters)
        found: list[dict[str, Any]] | None = self.noted(name)
        if found is None:
            found = self.mappings(sql, parameters)
            self.note(name, found)
        return [dict(record) for record in found]

    def noted(self, name: str) -> Any:
        """A finding about what rows, plan, answers and flags are; None if there is none."""
        return None if self.known is None else self.known.get(self.stamp(), name)

    def note(self, name: str, value: Any) -> None:
        """Let this be found by `noted` as long as the store holds the same."""
        if self.known is not None:
            self.known.put(self.stamp(), name, value)

    def recall_values(
        self, make: Callable[..., Value], sql: str, parameters: Parameters = ()
    ) -> list[Value]:
        """The same, each made by `make` from its columns by name."""
        return [make(**record) for record in self.recall(sql, parameters)]

    def recall_scalar(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first value of the first record of such a query, or None."""
        found = self.recall(sql, parameters)
        return next(iter(found[0].values())) if found else None

    def kept(self, name: str) -> Any:
        """The value last kept under this name, in any state of the store; None if there is none."""
        return None if self.known is None else self.known.last.get(name)

    def keep(self, name: str, value: Any) -> None:
        """Let this be found by `kept` until it is replaced."""
        if self.known is not None:
            self.known.replace(name, value)

    def keep_known(self) -> None:
        """Keep for later runs what `recall` has found."""
        if self.known is not None:
            self.known.save()

    def stamp(self) -> str:
        """A name for all that rows, plan, answers and flags are now."""
        if self._stamp is None:
            self._stamp = str(self.scalar(statements.load("known.sql")["stamp"]))
        return self._stamp

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

    def fill(self, table: str, batch: pa.Table) -> None:
        """Insert a batch of all columns of a table, in their order. Unlike what `insert` registers,
        DuckDB does not keep it in memory until the transaction ends."""
        self._read.clear()
        with faults.reported(self.path):
            self._connection.from_arrow(batch).insert_into(table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing.

        An exception from COMMIT means that the outcome is unknown: the caller must not use this
        connection any more.
        """
        self.execute("BEGIN")
        self._stamp = None
        try:
            yield
        except BaseException:
            # A failed statement may have ended the transaction already.
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            self._forget()
            raise
        finally:
            self._stamp = None
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

    def declare(self, sql: str) -> None:
        """Run statements of the schema, which mean the tables and views of the file alone."""
        with faults.reported(self.path):
            self._connection.execute(sql)

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
