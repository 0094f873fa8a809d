"""The answers of a job with what was asked and what was refused, for the training of a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from llmbatch.store import plans, statements
from llmbatch.store.database import Database

_WINDOW = 2_000
_STEP = 1_000_000


@dataclass(frozen=True, slots=True)
class TrainingAnswer:
    """A request of an answered row: its messages (JSON), its answer (None: this sample of the row
    has failed), and the answers of its failed tries (`refused`). `row`: the first that it answers;
    `is_flagged`: True if one of them has a flag."""

    row: int
    sample: int
    messages: str
    answer: str | None
    refused: tuple[str, ...]
    is_flagged: bool


def by_row(db: Database) -> Iterator[list[TrainingAnswer]]:
    """The requests of answered rows, those of one row together, in input order; each comes once.
    One such iterator at a time."""
    db.execute(_query("collect_training_requests"))
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM training_requests")) + 1
    for start in range(1, end, _STEP):
        stop = min(start + _STEP, end)
        db.execute(_query("collect_training_answers"), {"first": start, "last": stop - 1})
        for first in range(start, stop, _WINDOW):
            last = min(first + _WINDOW, stop) - 1
            for _, group in groupby(_window(db, first, last), key=lambda answer: answer.row):
                yield list(group)


def _window(db: Database, first: int, last: int) -> list[TrainingAnswer]:
    found = db.execute(_query("training_answers_window"), {"first": first, "last": last})
    positions = sorted({record[1] for record in found})
    asked = {one.position: one for one in plans.requests_at(db, positions)} if positions else {}
    return [
        TrainingAnswer(
            row=row,
            sample=sample,
            messages=asked[position].messages,
            answer=answer,
            refused=tuple(refused),
            is_flagged=is_flagged,
        )
        for row, position, sample, is_flagged, answer, refused in found
    ]


def _query(name: str) -> str:
    return statements.load("training_pairs.sql")[name]
