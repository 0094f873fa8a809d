"""The job's own store, read from another one, where a plan is made aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmbatch.store import catalog, opening, trust
from llmbatch.store.database import Database
from llmbatch.store.statements import query


@contextmanager
def attached(db: Database, store: Path) -> Iterator[None]:
    """The store under the name `own_store`; the view `own_settled` has its requests that need no
    further try. Raises LockedError while a run holds it, StoreError when it cannot be used."""
    trust.check(store.parent)
    with opening.attached(db, store, "own_store"):
        version = opening.version(db, store, "own_store")
        catalog.check(db, store, opening.MIGRATIONS[:version], "own_store")
        # The first version knew no reopenings.
        db.execute(query("own_settled" if version > 1 else "own_settled_1"))
        yield


def run_specs(db: Database) -> list[tuple[int, str]]:
    """The runs of the attached store and their specs, the oldest first."""
    return [(int(run), spec) for run, spec in db.execute(query("run_specs_in_own_store"))]
