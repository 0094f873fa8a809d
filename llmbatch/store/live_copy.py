"""A copy of the store of a job that is running, which the run itself makes when a reader asks.

No other process can open a store that a run holds, and its file cannot be copied from outside: it
changes meanwhile. So a reader leaves a wish beside the store, and the run, in a thread of its own
and in one transaction, copies what is committed into a file with a name of its own. A copy appears
whole, replaces the one before it, and is removed when the run ends.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import duckdb

from llmbatch.core import clock, drafts, files
from llmbatch.core.errors import LlmbatchError
from llmbatch.store import connection
from llmbatch.store.database import Database

# Seconds between two looks for a wish, or for its fulfilment.
_PAUSE = 0.2
# Seconds until a run takes a wish; one of an older llmbatch never does.
_TAKEN_WITHIN = 10.0


def path_for(store: Path) -> Path:
    """The copy, in the folder of the store, where its long texts are, too."""
    return store.with_name(connection.COPY)


def _wish(store: Path) -> Path:
    return store.with_name("copy.wanted")


class CopyService:
    """Fulfils the wishes of readers while a run holds the store. A context manager."""

    def __init__(self, db: Database) -> None:
        self._db = db.cursor()
        self._store = db.path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="copies", daemon=True)

    def __enter__(self) -> Self:
        self._remove()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Make no more copies, give up one that is being made, and remove the last one."""
        if not self._over.is_set():
            self._over.set()
            while self._thread.is_alive():
                self._db.interrupt()
                self._thread.join(_PAUSE)
            self._db.close()
            self._remove()

    def _remove(self) -> None:
        draft = self._store.with_name(connection.COPY_DRAFT)
        names = [path_for(self._store), _wish(self._store), draft, draft.with_suffix(".new.wal")]
        for name in names:
            with suppress(OSError):
                if name.exists():
                    name.unlink()

    def _work(self) -> None:
        wish = _wish(self._store)
        while not self._over.wait(_PAUSE):
            if wish.exists():
                # A copy that cannot be made (full disk) stops no run; its reader waits in vain.
                with suppress(OSError, LlmbatchError, duckdb.Error):
                    wish.unlink()
                    self._copy()

    def _copy(self) -> None:
        draft = self._store.with_name(connection.COPY_DRAFT)
        draft.unlink(missing_ok=True)
        self._db.copy_to(draft)
        draft.chmod(0o600)
        files.publish(draft, path_for(self._store))


def ask(store: Path, is_held: Callable[[], bool]) -> Path | None:
    """A copy that the run which holds the store makes now; None if the run makes none, or ends
    before it has one. `is_held`: True while the run goes on."""
    copy, wish = path_for(store), _wish(store)
    before = _state(copy)
    try:
        drafts.create(wish).close()
    except OSError:
        return None  # a folder that may only be read
    until = clock.seconds() + _TAKEN_WITHIN
    while is_held():
        if wish.exists() and clock.seconds() > until:
            wish.unlink(missing_ok=True)
            return None
        if _state(copy) not in (None, before):
            return copy
        time.sleep(_PAUSE / 4)
    return None


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
