"""`llmbatch retry`: dead letters are reopened."""

from collections.abc import Sequence
from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core.errors import UsageError, nearest


@click.command()
@kept_job
@click.option("--kind", "kinds", multiple=True, help="Only failures of this kind; repeatable.")
@console.reported
def retry(job: Path, kinds: tuple[str, ...]) -> None:
    """Reopen dead letters, so that the next run tries them again. Old attempts are kept.

    JOB is its job file, its output or its state folder.
    """
    rows = reopen(job, list(kinds))
    console.say(f"{rows:,} rows reopened" + ("; run the job again to try them" if rows else ""))


def reopen(job: Path, kinds: list[str]) -> int:
    """Reopen the job's dead letters, of the given kinds or all; returns the number of rows."""
    from llmbatch.cli.find_job import find, require_plan
    from llmbatch.store import results, runs
    from llmbatch.store.lock import JobLock
    from llmbatch.store.opening import open_store

    paths = find(job)
    with JobLock(paths.lock), open_store(paths.store) as db:
        require_plan(db, paths)
        _check_kinds(kinds, {failure.kind for failure in results.failures(db)})
        return runs.reopen(db, runs.dead(db, kinds))


def _check_kinds(kinds: Sequence[str], occurring: set[str]) -> None:
    """Raise UsageError for a kind that is neither ours nor occurs in the job: an engine outside the
    package may have kinds of its own."""
    from llmbatch.core.outcomes import FAILURE_KINDS

    valid = sorted(occurring | FAILURE_KINDS.keys())
    for kind in kinds:
        if kind not in valid:
            raise UsageError(
                f"--kind {kind!r}: no such kind of failure{nearest(kind, valid)}; "
                f"this job has: {', '.join(sorted(occurring)) or 'none'}"
            )
