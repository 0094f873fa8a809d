"""`llmbatch repair`: a store made again from its journal."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbatch.cli import console
from llmbatch.cli.options import kept_job
from llmbatch.core.units import count

if TYPE_CHECKING:
    from llmbatch.store.repair import Repair


@click.command()
@kept_job
@console.reported
def repair(job: Path) -> None:
    """Make a job's store whole again after a power cut, from its journal.

    JOB is its job file, its output or its state folder. Damaged files are kept under other
    names. A sound store is left as it is.
    """
    from llmbatch.cli.find_job import find
    from llmbatch.store.lock import JobLock
    from llmbatch.store.repair import repair as make_whole

    paths = find(job)
    with JobLock(paths.lock):
        result = make_whole(paths.store)
    for line in _describe(result, paths.state):
        console.say(line)


def _describe(result: "Repair", state: Path) -> Iterator[str]:
    if result.sound:
        yield f"{state}: the store is whole and agrees with its journal; nothing was changed"
        return
    for path in result.kept:
        yield f"{path}: damaged, kept under this name"
    if result.torn:
        last = (
            f"{state / 'journal'}: its end ({count(result.torn, 'byte')}) is no whole transaction"
        )
        yield f"{last} (never finished, or damaged)"
    if result.lost:
        yield f"{count(result.lost, 'transaction')} of the damaged journal could not be recovered"
    if result.unread:
        tables = ", ".join(result.unread)
        yield f"tables of the damaged store that could not be read whole: {tables}"
    if result.rewritten:
        yield f"{state / 'journal'}: written anew, of all that the store holds"
    yield (
        f"{count(result.replayed, 'transaction')} replayed from the journal; "
        f"the store holds {count(result.answers, 'answer')}"
    )
    yield "run the same command as before: it computes only what is missing"
