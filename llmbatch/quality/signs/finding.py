"""The pass over the stored answers that finds warning signs."""

from collections.abc import Iterator
from itertools import islice

from llmbatch.job.spec import JobSpec
from llmbatch.quality.signs import empty
from llmbatch.store import flags, results
from llmbatch.store.database import Database
from llmbatch.store.flags import Flag

_WINDOW = 20_000
_TEXT_TASKS = ("generate", "classify")


def mark(db: Database, spec: JobSpec) -> None:
    """Replace the warning signs of the job's rows by those of its answers of today."""
    flags.replace(db, "sign", _windows(_found(db, spec)))


def _windows(found: Iterator[Flag]) -> Iterator[list[Flag]]:
    while window := list(islice(found, _WINDOW)):
        yield window


def _found(db: Database, spec: JobSpec) -> Iterator[Flag]:
    if spec.task not in _TEXT_TASKS:
        return
    for row in results.in_input_order(db, ["answered"]):
        if (detail := empty.look(row["answer"])) is not None:
            yield Flag(row["row"], "sign", empty.NAME, detail)
