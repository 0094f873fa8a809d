"""The answers of rows whose right label is known."""

from dataclasses import dataclass
from typing import Any

from llmbatch.store import statements
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class GoldInAll:
    """Answered rows with a right label, those without one, those with the right answer, and the
    mean confidence of those with a right label."""

    rows: int
    rows_without: int
    right_rows: int
    confidence: float


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """The rows whose confidence is in one of equal parts of 0 to 1, its `place` from 0: how many,
    how many of them are right, and their mean confidence."""

    place: int
    rows: int
    right_rows: int
    confidence: float


@dataclass(frozen=True, slots=True)
class LabelCount:
    """A label: the rows of which it is the right one, those that got it, and those of both."""

    label: str
    gold_rows: int
    answered_rows: int
    right_rows: int


def take(db: Database, column: str) -> GoldInAll:
    """Take the answered rows, with the right labels of this column, for the functions below."""
    pointer = "/" + column.replace("~", "~0").replace("/", "~1")
    db.execute(_query("stage_gold"), {"pointer": pointer})
    (found,) = db.values(GoldInAll, _query("gold_in_all"))
    return found


def by_confidence(db: Database, bins: int) -> list[ConfidenceBin]:
    """The parts that hold a row, in ascending order."""
    return db.values(ConfidenceBin, _query("gold_bins"), {"bins": bins})


def by_label(db: Database, most: int) -> list[LabelCount]:
    """The labels, that of most rows first, `most` at most."""
    return db.values(LabelCount, _query("gold_labels"), {"most": most})


def _query(name: str) -> Any:
    return statements.load("gold.sql")[name]
