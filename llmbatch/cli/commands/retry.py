"""`llmbatch retry`."""

from pathlib import Path

from llmbatch.cli.find_job import find, require_plan
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.outcomes import FAILURE_KINDS
from llmbatch.store import results, runs
from llmbatch.store.database import Database
from llmbatch.store.lock import JobLock
from llmbatch.store.opening import open_store


def retry(job: Path, kinds: list[str]) -> str:
    """Reopen the job's dead letters, of the given kinds or all; returns what was done."""
    found = find(job)
    with JobLock(found.lock), open_store(found.store) as db:
        require_plan(db, found)
        _check_kinds(db, kinds)
        rows = runs.reopen(db, runs.dead(db, kinds))
    return f"{rows:,} rows reopened" + ("; run the job again to try them" if rows else "")


def _check_kinds(db: Database, kinds: list[str]) -> None:
    """An engine outside the package may have kinds of its own, so those that occur count, too."""
    held = {failure.kind for failure in results.failures(db)}
    known = sorted(held | FAILURE_KINDS.keys())
    for kind in kinds:
        if kind not in known:
            raise UsageError(
                f"--kind {kind!r}: no such kind of failure{nearest(kind, known)}; "
                f"this job has: {', '.join(sorted(held)) or 'none'}"
            )
