"""The repair of store and journal when an opening cannot make them agree without a loss."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import files
from llmbatch.core.errors import StoreError
from llmbatch.store import frames, inspection, journal, opening, recovery
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError, ForeignError
from llmbatch.store.opening import open_store
from llmbatch.store.salvage import Losses, salvage


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of a repair; nothing was to be done if the two are `sound`.

    `answers`, `replayed` and `lost` are numbers: of answers in the store, of transactions taken
    from the journal, and of those that a damaged journal has lost and the store did not have.
    `torn`: bytes at the end of the journal that were no whole transaction. `unread`: the tables of
    a damaged store that could be read only in part. `rewritten`: the journal was damaged, or lacked
    records of the store. `kept`: the damaged files, under their new names.
    """

    sound: bool
    answers: int
    replayed: int = 0
    torn: int = 0
    lost: int = 0
    unread: tuple[str, ...] = ()
    rewritten: bool = False
    kept: tuple[Path, ...] = ()


def repair(store: Path) -> Repair:
    """Make store and journal whole again; the caller holds the job's lock.

    Nothing is deleted: damaged files are kept under other names. Raises StoreError when there
    is nothing to recover from, ForeignError when the two have different histories.
    """
    path = journal.path_for(store)
    if not store.exists() and not path.exists():
        raise _nothing_error(store)
    try:
        return _repair_by_opening(store)
    except ForeignError:
        raise
    except DamagedError:
        extent = frames.scan(path) if path.exists() else None
        if extent is None or extent.torn or not extent.last:
            return _salvage(store)
        kept = _set_store_aside(store)
        return _repair_by_opening(store, kept)


def _repair_by_opening(store: Path, kept: list[Path] | None = None) -> Repair:
    """Open the two, which gives each the records that it lacks."""
    if store.exists():
        with open_store(store, read_only=True) as db:
            db.read_all()
            if inspection.agreement(db, store).is_agreed:
                return Repair(True, _answers(db))
    with open_store(store) as db:
        done = db.recovery
        return Repair(
            sound=False,
            answers=_answers(db),
            replayed=done.replayed,
            torn=done.torn,
            rewritten=done.rewritten,
            kept=(*(kept or ()), *((done.kept,) if done.kept else ())),
        )


def _salvage(store: Path) -> Repair:
    """Make a new store of the records that can still be read in the old one and in the journal."""
    with _draft(store) as draft:
        with open_store(draft, beside=store.parent) as new:
            found = salvage(new, store)
            if not (recovery.has_work(new) or _may_be_empty(store, found)):
                raise _nothing_error(store)
            new.compact()
            answers = _answers(new)
        kept = [files.set_aside(log) for log in opening.logs(store)]
        if store.exists():
            kept.append(files.keep_copy(store))
        files.publish(draft, store)
    path = journal.path_for(store)
    if path.exists():
        kept.append(files.set_aside(path))
    open_store(store).close()
    return Repair(
        sound=False,
        answers=answers,
        torn=found.torn,
        lost=found.lost,
        unread=found.unread,
        rewritten=True,
        kept=tuple(kept),
    )


def _may_be_empty(store: Path, found: Losses) -> bool:
    """True if power can have failed in the first plan: nothing was answered, and nothing is lost.

    The store is whole but for its log, or its journal is there and has never had a frame.
    """
    path = journal.path_for(store)
    return not found.unread or (path.exists() and not path.stat().st_size)


@contextmanager
def _draft(store: Path) -> Iterator[Path]:
    """The path of a new store, in a folder beside the damaged one."""
    folder = store.with_name("salvaged")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder / store.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nothing_error(store: Path) -> StoreError:
    return StoreError(
        f"{store}: neither the store nor a journal can be read: nothing can be recovered; move the "
        "state folder away and run the job again"
    )


def _set_store_aside(store: Path) -> list[Path]:
    damaged = [path for path in (*opening.logs(store), store) if path.exists()]
    return [files.set_aside(path) for path in damaged]


def abandon(store: Path) -> None:
    """Put a damaged store and its journal aside, for a run that begins anew."""
    _set_store_aside(store)
    if journal.path_for(store).exists():
        files.set_aside(journal.path_for(store))


def _answers(db: Database) -> int:
    return int(db.scalar("SELECT count(*) FROM attempts WHERE verdict = 'answered'"))
