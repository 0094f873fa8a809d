"""`llmbatch check`: what must hold in a job's store."""

from pathlib import Path

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job


@click.command()
@kept_job
@click.option(
    "--deep",
    is_flag=True,
    help="Also compare store and journal, record by record, and the store's tables and views with "
    "those that llmbatch makes.",
)
@console.reported
def check(job: Path, deep: bool) -> None:
    """Check that everything holds that must hold in a job's store.

    JOB is its job file, its output or its state folder. Every block of the store and all of its
    journal are read. Exits 1 if something does not hold. A run begins with the same check: what
    it would refuse is reported here in the same words, with the same exit code.
    """
    verdicts = read_verdicts(job, deep=deep)
    console.show(
        f"{'FAIL' if wrong else 'ok  '} {name.replace('_', ' ')}{f': {wrong}' if wrong else ''}"
        for name, wrong in verdicts.items()
    )
    if any(verdicts.values()):
        console.leave(1)


def read_verdicts(job: Path, *, deep: bool = False) -> dict[str, str]:
    """The invariants of the job's store, each with what is wrong (empty: it holds). Raises for a
    store that a run would refuse. `deep`: also compare it with its journal."""
    from llmbatch.cli.find_job import find
    from llmbatch.store import inspection
    from llmbatch.store.opening import open_store

    paths = find(job)
    with open_store(paths.store, read_only=True) as db:
        return inspection.verdicts(db, paths.store, deep=deep)
