"""The inspection of a store: all of it can be read, and it agrees with its journal."""

import tempfile
from pathlib import Path

from llmbatch.core import units
from llmbatch.core.errors import InvariantError
from llmbatch.store import (
    frames,
    invariants,
    journal,
    lineage,
    recovery,
    results,
    salvage,
    snapshots,
    statements,
)
from llmbatch.store.database import Database
from llmbatch.store.lineage import Agreement
from llmbatch.store.opening import open_store

# Bytes of a store of which the next run notices that it asks for all invariants.
_LARGE = 2**24


def agreement(db: Database, store: Path) -> Agreement:
    """Compare a store that is open for reading with its journal; raises as an opening for writing
    does."""
    stored, worked = recovery.newest(db), recovery.has_work(db)
    path = journal.path_for(store)
    if not path.exists():
        return Agreement(stored, stored, 0, 0, is_rewritten=worked, is_kept=False)
    with path.open("rb") as stream:
        descriptor = stream.fileno()
        extent = frames.extent(descriptor)
        return lineage.compare(db, store, descriptor, extent, stored=stored, worked=worked)


def require_sound(db: Database, store: Path) -> None:
    """Raise DamagedError or InvariantError, before a run begins, for anything that `llmbatch check`
    would find."""
    if snapshots.newest(db) is None and not recovery.has_work(db):
        return
    contents = db.read_all()
    if broken := invariants.broken(db, contents):
        names = ", ".join(name.replace("_", " ") for name in broken)
        raise InvariantError(
            f"{store}: does not hold: {names}; see `llmbatch check {store.parent}`, and to start "
            "anew run with --fresh"
        )


def note_sound(db: Database) -> None:
    """Look at a large store after a run that has changed it, so that the next one need not. What
    does not hold is told when it is opened."""
    if db.path.stat().st_size >= _LARGE:
        invariants.broken(db, db.read_all())


def verdicts(db: Database, store: Path, *, deep: bool) -> dict[str, str]:
    """The violations of all that must hold, by name (empty: it holds). Raises DamagedError, as an
    opening for writing does."""
    found = agreement(db, store)
    db.read_all()
    counted = results.violations(db)
    if deep:
        counted |= _differences(db, store)
    violations = {
        name: f"{units.count(count, 'violation')}" if count else ""
        for name, count in counted.items()
    }
    return violations | {"the_journal_is_whole": found.damage(journal.path_for(store))}


def _differences(db: Database, store: Path) -> dict[str, int]:
    """The number of records that only the store or only its journal holds, and of declarations of
    tables and views that differ from those of a new store."""
    salvage.stage(db)
    salvage.take_journal(db, journal.path_for(store))
    apart = 0
    for table in recovery.DURABLE:
        names = f"found_{table}", table
        for one, other in (names, names[::-1]):
            apart += db.scalar(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})")
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / store.name) as new:
        made = len(_shapes(db) ^ _shapes(new))
    return {"the_journal_holds_what_the_store_holds": apart, "tables_and_views_are_ours": made}


def _shapes(db: Database) -> set[tuple[str, ...]]:
    """All tables and views as they are declared."""
    return {shape for kind in statements.load("shapes.sql").values() for shape in db.execute(kind)}
