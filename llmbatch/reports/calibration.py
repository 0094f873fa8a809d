"""The answers of a classification against the right labels: how many are right, and how far the
confidence can be trusted.

The expected calibration error is the mean distance between confidence and accuracy, over ten equal
parts of the confidence, each counted by its rows (Naeini, Cooper and Hauskrecht 2015).
"""

from dataclasses import dataclass

from llmbatch.core.interval import share
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import registry
from llmbatch.store import gold
from llmbatch.store.database import Database
from llmbatch.store.gold import LabelCount

BINS = 10
_MOST_LABELS = 50


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows with a confidence from `low` to below `high` (the last part: to 1): their mean
    `confidence`, and the share of them that are right (`accuracy`)."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The answered `rows` that have a right label in `column`; `rows_without` have none.

    `accuracy`: the share of right ones; 95 % of such samples have it between `accuracy_low` and
    `accuracy_high`. `confidence`: its mean; `error`: the expected calibration error; `bins`: those
    with rows; `labels`: the counts of each. `unknown_rows`: those whose right label is none that
    could be given.
    """

    column: str
    rows: int
    rows_without: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    confidence: float
    error: float
    bins: list[CalibrationBin]
    labels: list[LabelCount]
    unknown_rows: int


def build(db: Database, spec: JobSpec) -> Calibration | None:
    """The figures of a job whose right labels are known; None for others, and while no row with
    one is answered."""
    column = spec.classify.gold
    if column is None or "confidence" not in registry.make(spec).columns.fields:
        return None
    found = gold.take(db, column)
    if not found.rows:
        return None
    bins = [
        CalibrationBin(
            each.place / BINS,
            (each.place + 1) / BINS,
            each.rows,
            each.confidence,
            each.right_rows / each.rows,
        )
        for each in gold.by_confidence(db, BINS)
    ]
    labels = gold.by_label(db, _MOST_LABELS)
    known = spec.classify.labels
    right = share(found.right_rows, found.rows)
    return Calibration(
        column=column,
        rows=found.rows,
        rows_without=found.rows_without,
        accuracy=right.expected,
        accuracy_low=right.low,
        accuracy_high=right.high,
        confidence=found.confidence,
        error=sum(each.rows * abs(each.accuracy - each.confidence) for each in bins) / found.rows,
        bins=bins,
        labels=labels,
        unknown_rows=sum(each.gold_rows for each in labels if known and each.label not in known),
    )
