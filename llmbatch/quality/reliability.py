"""Confidence against right answers: how far it can be trusted.

The expected calibration error is the mean distance between confidence and accuracy, over ten equal
parts of the confidence, each counted by its rows (Naeini, Cooper and Hauskrecht 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 10


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
class Reliability:
    """The answered `rows` whose confidence is known: its mean (`confidence`), the share of right
    ones (`accuracy`), the expected calibration `error`, and the `bins` with rows. All count the
    rows with their weights, but for numbers of rows."""

    rows: int
    confidence: float
    accuracy: float
    error: float
    bins: list[CalibrationBin]


def error_of(bins: Sequence[CalibrationBin], weights: Sequence[float]) -> float:
    """The expected calibration error of parts with these weights."""
    pairs = zip(bins, weights, strict=True)
    off = sum(weight * abs(each.accuracy - each.confidence) for each, weight in pairs)
    return off / sum(weights)


def measure(
    confidence: Sequence[float], right: Sequence[bool], weights: Sequence[float]
) -> Reliability | None:
    """The reliability of answers with these confidences; None without any that counts."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    sure, hit, count = (np.asarray(each, dtype=float) for each in (confidence, right, weights))
    if not count.sum():
        return None
    places = np.minimum(BINS - 1, np.floor(sure * BINS)).astype(int)
    bins, shares = list[CalibrationBin](), list[float]()
    for place in np.unique(places):
        here = places == place
        if not (weight := float(count[here].sum())):
            continue
        means = (float(count[here] @ each[here]) / weight for each in (sure, hit))
        bins.append(
            CalibrationBin(int(place) / BINS, (int(place) + 1) / BINS, int(here.sum()), *means)
        )
        shares.append(weight)
    total = float(count.sum())
    return Reliability(
        rows=len(sure),
        confidence=float(count @ sure) / total,
        accuracy=float(count @ hit) / total,
        error=error_of(bins, shares),
        bins=bins,
    )
