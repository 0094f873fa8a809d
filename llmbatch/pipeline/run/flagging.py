"""The flags of a job's rows, found again from its answers before each export."""

from collections.abc import Callable

from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import check_flags
from llmbatch.quality.signs import finding
from llmbatch.store.database import Database

Pass = Callable[[Database, ReadyJob], None]
"""Replaces the flags of one origin (`store/flags: replace`)."""


def _signs(db: Database, job: ReadyJob) -> None:
    finding.mark(db, job.spec)


PASSES: tuple[Pass, ...] = (_signs, check_flags.mark)
"""All passes, one for each origin."""


def find(db: Database, job: ReadyJob) -> None:
    """Replace the flags of all rows by what their answers show today."""
    for mark in PASSES:
        mark(db, job)
