"""`llmbatch repair`."""

from collections.abc import Iterator
from pathlib import Path

from llmbatch.cli.find_job import find
from llmbatch.store.lock import JobLock
from llmbatch.store.repair import Repair
from llmbatch.store.repair import repair as repair_store


def repair(job: Path) -> list[str]:
    """Make the job's store whole again from its journal; returns what was done, line by line."""
    found = find(job)
    with JobLock(found.lock):
        return list(_lines(repair_store(found.store), found.state))


def _lines(done: Repair, state: Path) -> Iterator[str]:
    if done.sound:
        yield f"{state}: the store is whole and agrees with its journal; nothing was changed"
        return
    for path in done.kept:
        yield f"{path}: damaged, kept under this name"
    if done.torn:
        last = f"{state / 'journal'}: its last {done.torn:,} bytes are no whole transaction"
        yield f"{last} (never finished, or damaged)"
    if done.lost:
        yield f"{done.lost:,} transactions of the damaged journal could not be recovered"
    if done.unread:
        yield f"tables of the damaged store that could not be read whole: {', '.join(done.unread)}"
    if done.rewritten:
        yield f"{state / 'journal'}: written anew, of all that the store holds"
    yield (
        f"{done.replayed:,} transactions replayed from the journal; "
        f"the store holds {done.answers:,} answers"
    )
    yield "run the same command as before: it computes only what is missing"
