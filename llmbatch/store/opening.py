"""Opening, creating and migrating the DuckDB file of a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from llmbatch.core import clock, files
from llmbatch.core.clock import utc
from llmbatch.core.errors import StoreError
from llmbatch.store import catalog, connection, faults, recovery, statements, trust
from llmbatch.store.connection import Instance
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError

# What each schema version adds: the statements of these files, in order.
MIGRATIONS = (
    ("schema.sql", "views.sql"),
    ("schema_2.sql", "views_2.sql"),
    ("schema_3.sql",),
    ("schema_4.sql",),
    ("schema_5.sql",),
    ("schema_6.sql",),
    ("schema_7.sql",),
    ("schema_8.sql",),
    ("schema_9.sql",),
    ("schema_10.sql",),
    ("schema_11.sql",),
    ("schema_12.sql",),
    ("schema_13.sql",),
    ("schema_14.sql",),
    ("schema_15.sql",),
    ("schema_16.sql",),
    ("schema_17.sql",),
    ("schema_18.sql",),
    ("schema_19.sql",),
    ("schema_20.sql",),
    ("schema_21.sql",),
    ("schema_22.sql",),
)
# The tables as the migrations up to this version make them (`make tables`).
NEW_TABLES = 22


def open_store(path: Path, *, read_only: bool = False, beside: Path | None = None) -> Database:
    """Open the store at `path`, creating it first unless `read_only`. Data that does not fit
    in memory goes to a folder `tmp` beside it. Stores in the folder `beside` can be attached.

    For writing, its journal is opened, too, and records that only one of the two has are given
    to the other. Raises LockedError when another process has the store open for writing,
    StoreError when it is missing, damaged (DamagedError), from a newer llmbatch, or not the
    user's own (see `trust`).
    """
    trust.check(path.parent)
    is_new = not path.exists()
    if is_new and read_only:
        raise faults.missing(path)
    instance = connection.instance(path, beside)
    db = Database(instance.connection, path, instance)
    try:
        if is_new:
            with faults.creatable(path):
                _create(db, instance)
        instance.attach(path, read_only=read_only)
        _bring_up_to_date(db, path, read_only=read_only)
        if not read_only:
            recovery.join(db)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def attached(db: Database, path: Path, name: str) -> Iterator[None]:
    """Another store, readable under `name`. Raises LockedError while a run holds it."""
    with db.attached_file(path, name):
        _check_attached(db, path, name)
        yield


def _check_attached(db: Database, path: Path, name: str) -> None:
    try:
        version = db.scalar(f"SELECT max(version) FROM {name}.migrations")
    except duckdb.Error as error:
        raise _no_store_error(path, error) from error
    except DamagedError:
        return  # The caller reads on and meets it again, or takes the tables that are whole.
    _check_version(path, version)


def _create(db: Database, instance: Instance) -> None:
    """Make the file whole under another name first: a store exists complete or not at all."""
    path = db.path
    draft = path.with_name(path.name + connection.DRAFT)
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    instance.attach(draft, read_only=False)
    with db.transaction():
        db.declare(statements.load("tables.sql")["tables"])
        numbers = [NEW_TABLES + 1, utc(clock.now())]
        db.execute("INSERT INTO migrations SELECT range, $2 FROM range(1, $1)", numbers)
        for number in range(NEW_TABLES + 1, len(MIGRATIONS) + 1):
            _step(db, number)
    db.compact()
    instance.detach()
    for stray in logs(path):
        # DuckDB would take the log of a store that is gone for that of the new one.
        files.set_aside(stray)
    draft.chmod(0o600)
    files.publish(draft, path)


def logs(path: Path) -> list[Path]:
    """The write-ahead logs beside the store at `path`."""
    names = (path.with_name(path.name + end) for end in connection.LOGS)
    return [name for name in names if name.exists()]


def version(db: Database, path: Path, name: str = "job") -> int:
    """The schema version of the store at `path`, attached under `name`. Raises DamagedError for a
    file that is no store, StoreError for one of a newer llmbatch."""
    try:
        found = int(db.scalar(f"SELECT max(version) FROM {name}.migrations"))
    except (duckdb.Error, TypeError, ValueError) as error:
        raise _no_store_error(path, error) from error
    _check_version(path, found)
    return found


def _bring_up_to_date(db: Database, path: Path, *, read_only: bool) -> None:
    number = version(db, path)
    if number < len(MIGRATIONS) and read_only:
        raise StoreError(f"{path}: has the older schema {number}; run the job once to upgrade it")
    catalog.check(db, path, MIGRATIONS[:number])
    migrate(db, number)


def _no_store_error(path: Path, error: Exception) -> DamagedError:
    return DamagedError(
        f"{path}: is not an llmbatch store ({faults.line(error)}){faults.advice(path)}"
    )


def _check_version(path: Path, version: object) -> None:
    if isinstance(version, int) and version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: was written by a newer llmbatch (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); upgrade llmbatch"
        )


def migrate(db: Database, version: int) -> None:
    """Bring a store from schema `version` to the newest, step by step."""
    for number in range(version + 1, len(MIGRATIONS) + 1):
        with db.transaction():
            _step(db, number)


def _step(db: Database, number: int) -> None:
    """Bring a store from the schema version before to this one."""
    for name in MIGRATIONS[number - 1]:
        for statement in statements.load(name).values():
            db.declare(statement)
    db.execute("INSERT INTO migrations VALUES (?, ?)", [number, utc(clock.now())])
