"""The job's own store, read from another one, where a plan is made aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmbatch.store import catalog, database, trust
from llmbatch.store.database import Database
from llmbatch.store.statements import query


@contextmanager
def attached(db: Database, store: Path) -> Iterator[None]:
    """The store under the name `former`; `former_settled` are its requests that need no further
    try. Raises LockedError while a run holds it, StoreError when it cannot be used."""
    trust.check(store.parent)
    with db.attached(store, "former"):
        version = database.version(db, store, "former")
        catalog.check(db, store, database.MIGRATIONS[:version], "former")
        # The first version knew no reopenings.
        db.execute(query("former_settled" if version > 1 else "former_settled_1"))
        yield
