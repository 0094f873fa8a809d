"""The answers of a classification against the right labels: how many are right, and how far the
confidence can be trusted.

What its calibration is: `quality/reliability`.
"""

from dataclasses import dataclass

from llmbatch.core.interval import share
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import registry
from llmbatch.quality.reliability import BINS, CalibrationBin, error_of
from llmbatch.store import gold
from llmbatch.store.database import Database
from llmbatch.store.gold import LabelCount

_MOST_LABELS = 50


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
        error=error_of(bins, [each.rows for each in bins]),
        bins=bins,
        labels=labels,
        unknown_rows=sum(each.gold_rows for each in labels if known and each.label not in known),
    )
