"""Opening, creating and migrating the DuckDB file of a job."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from llmbatch.core import clock, files
from llmbatch.core.clock import utc
from llmbatch.core.errors import StoreError
from llmbatch.store import catalog, connection, faults, recovery, statements, trust
from llmbatch.store.frames import Columns, Tables
from llmbatch.store.journal import DamagedError, Journal
from llmbatch.store.recovery import Joined

Parameters = Sequence[Any] | Mapping[str, Any]

# What each schema version adds: the statements of these files, in order.
MIGRATIONS = (
    ("schema.sql", "views.sql"),
    ("schema_2.sql", "views_2.sql"),
    ("schema_3.sql",),
    ("schema_4.sql",),
    ("schema_5.sql",),
    ("schema_6.sql",),
)


class Database:
    """One connection to a store. Not for use by two threads: see `cursor`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._journal: Journal | None = None
        # What the opening found and mended.
        self.joined = Joined()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, beside: Path | None = None) -> Self:
        """Open the store at `path`, creating it first unless `read_only`. What does not fit in
        memory goes to a folder `tmp` beside it. Stores in the folder `beside` can be attached.

        For writing, its journal is opened too, and what only one of the two holds is given to
        the other. Raises LockedError when another process has the store open for writing,
        StoreError when it is missing, damaged (DamagedError), from a newer llmbatch, or not ours
        (see `trust`).
        """
        trust.check(path.parent)
        if not path.exists():
            if read_only:
                raise faults.missing(path)
            with faults.creatable(path):
                _create(path)
        database = cls(connection.attach(path, read_only=read_only, beside=beside), path)
        try:
            _bring_up_to_date(database, path, read_only=read_only)
            database._tell_states()
            if not read_only:
                database._journal, database.joined = recovery.join(database, path)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        # What was committed is safe, whatever the last words of a store without a disk are.
        with suppress(duckdb.Error):
            self._connection.close()
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def cursor(self) -> "Database":
        """A second connection to the same open file, for another thread."""
        cursor = self._connection.cursor()
        cursor.execute("USE job")
        other = Database(cursor, self._path)
        other._tell_states()
        return other

    def _tell_states(self) -> None:
        for statement in statements.load("states.sql").values():
            self.execute(statement)

    def execute(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Run one statement and fetch everything, so that no result is left open."""
        with faults.reported(self._path):
            result: list[tuple[Any, ...]]
            result = self._connection.execute(sql, parameters).fetchall()
            return result

    def scalar(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first value of the first record, or None."""
        found = self.execute(sql, parameters)
        return found[0][0] if found else None

    def mappings(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All records as dicts by column name."""
        with faults.reported(self._path):
            relation = self._connection.execute(sql, parameters)
            names = [column[0] for column in relation.description or []]
            return [dict(zip(names, record, strict=True)) for record in relation.fetchall()]

    def columns(self, sql: str, parameters: Parameters = ()) -> Columns:
        """All records by column."""
        with faults.reported(self._path):
            relation = self._connection.execute(sql, parameters)
            names = [column[0] for column in relation.description or []]
            records = relation.fetchall()
            return {name: [one[place] for one in records] for place, name in enumerate(names)}

    def arrow(self, sql: str, parameters: Parameters = ()) -> pa.Table:
        """All records as an Arrow table."""
        with faults.reported(self._path):
            return self._connection.sql(sql, params=parameters or None).to_arrow_table()

    def insert(self, sql: str, batch: pa.Table, parameters: Parameters = ()) -> None:
        """Run an INSERT that selects from `batch`: far cheaper than one statement a record."""
        with faults.reported(self._path):
            self._connection.register("batch", batch)
            try:
                self.execute(sql, parameters)
            finally:
                # After an error the transaction may take no statement more.
                with suppress(duckdb.Error):
                    self._connection.unregister("batch")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing.

        An exception from COMMIT means that the outcome is unknown: the caller must not go on
        with this connection.
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
        is in the journal, on the disk, before the store commits it."""
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

    def forget(self) -> None:
        """Remove all runs and their answers, here and in the journal. Rows and plan stay."""
        assert self._journal is not None, "only the connection that opened the store forgets"
        recovery.forget(self)
        self._journal.close()
        self._journal, _ = recovery.join(self, self._path)

    def append(self, tables: Tables) -> None:
        """Insert records, by table and column."""
        for table, columns in tables.items():
            self.insert(f"INSERT INTO {table} BY NAME SELECT * FROM batch", pa.table(columns))

    @contextmanager
    def attached(self, path: Path, name: str) -> Iterator[None]:
        """Another store, readable under `name`. Raises LockedError while a run holds it."""
        with faults.openable(path):
            self._connection.execute(f"ATTACH {connection.quoted(path)} AS {name} (READ_ONLY)")
        try:
            self._check_attached(path, name)
            yield
        finally:
            self.execute(f"DETACH {name}")

    def _check_attached(self, path: Path, name: str) -> None:
        try:
            version = self.scalar(f"SELECT max(version) FROM {name}.migrations")
        except duckdb.Error as error:
            raise _no_store(path, error) from error
        except DamagedError:
            return  # whoever reads on meets it again, or takes what is whole
        _check_version(path, version)

    def compact(self) -> None:
        """Fold the write-ahead log into the file."""
        self.execute("CHECKPOINT job")


def _create(path: Path) -> None:
    """Make the file whole under another name first: a store exists complete or not at all."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    database = Database(connection.attach(draft, read_only=False), path)
    migrate(database, 0)
    database.compact()
    database.close()
    for stray in logs(path):
        # The log of a store that is gone would be taken for that of the new one.
        files.set_aside(stray)
    draft.chmod(0o600)
    files.publish(draft, path)


def logs(path: Path) -> list[Path]:
    """The write-ahead logs beside the store at `path`."""
    names = (path.with_name(path.name + end) for end in connection.LOGS)
    return [name for name in names if name.exists()]


def version(database: Database, path: Path, name: str = "job") -> int:
    """The schema version of the store at `path`, attached under `name`. Raises DamagedError for a
    file that is no store, StoreError for one of a newer llmbatch."""
    try:
        found = int(database.scalar(f"SELECT max(version) FROM {name}.migrations"))
    except (duckdb.Error, TypeError, ValueError) as error:
        raise _no_store(path, error) from error
    _check_version(path, found)
    return found


def _bring_up_to_date(database: Database, path: Path, *, read_only: bool) -> None:
    held = version(database, path)
    if held < len(MIGRATIONS) and read_only:
        raise StoreError(f"{path}: has the older schema {held}; run the job once to upgrade it")
    catalog.check(database, path, MIGRATIONS[:held])
    migrate(database, held)


def _no_store(path: Path, error: Exception) -> DamagedError:
    return DamagedError(
        f"{path}: is not an llmbatch store ({faults.line(error)}){faults.advice(path)}"
    )


def _check_version(path: Path, version: object) -> None:
    if isinstance(version, int) and version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: was written by a newer llmbatch (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); upgrade llmbatch"
        )


def migrate(database: Database, version: int) -> None:
    """Bring a store from schema `version` (0: an empty file) to the newest, step by step."""
    for number, names in enumerate(MIGRATIONS[version:], start=version + 1):
        with database.transaction():
            for statement in chain.from_iterable(statements.load(n).values() for n in names):
                database.execute(statement)
            database.execute("INSERT INTO migrations VALUES (?, ?)", [number, utc(clock.now())])
