"""The store of a job, opened to be looked into, also while a run holds it."""

from collections.abc import Iterator
from contextlib import contextmanager

from llmbatch.cli import console
from llmbatch.core.errors import LockedError, StoreError
from llmbatch.job.folder import JobPaths
from llmbatch.store import live_copy, lock
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store


@contextmanager
def opened(paths: JobPaths) -> Iterator[Database]:
    """The job's store; while a run holds it, a copy that the run makes now. Raises LockedError if
    there is no copy, either."""
    with _open(paths) as db:
        yield db


def _open(paths: JobPaths) -> Database:
    try:
        return open_store(paths.store, read_only=True)
    except LockedError:
        copy = live_copy.ask(paths.store, lambda: lock.holder(paths.lock) is not None)
        if copy is None:
            return open_store(paths.store, read_only=True)  # the run may have just ended
    try:
        db = open_store(copy, read_only=True)
    except StoreError:
        # The run has ended and taken its copy away.
        return open_store(paths.store, read_only=True)
    console.say("a run is at work: this is what it had committed just now")
    return db
