"""The choice of a cascade's threshold by rows whose right answer is known.

The rows are divided at random, by their ids alone: by one half the threshold is chosen, by the
other it is measured. A figure of rows that it was chosen by would be too good: of many thresholds
that look alike the luckiest one is taken (the optimism of a maximum; B. Efron 1986, "How biased is
the apparent error rate of a prediction rule?").
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbatch.core.errors import UsageError
from llmbatch.core.interval import Interval
from llmbatch.core.units import count
from llmbatch.quality import estimates
from llmbatch.quality.estimates import Sample

if TYPE_CHECKING:
    import numpy.typing as npt

    Flags = npt.NDArray["np.bool_"]  # type: ignore[name-defined]

LEAST_ROWS = 20
"""Rows with the answers of both models, without which there is nothing to choose by."""
_DIGITS = 4
_MOST_CANDIDATES = 400


@dataclass(frozen=True, slots=True)
class BothAnswers:
    """A row of which the right answer and those of both models are known. `confidence`: of the
    first, None where it failed or has none: the row goes on in any case."""

    id: str
    confidence: float | None
    is_first_right: bool
    is_last_right: bool
    weight: float | None = None
    stratum: str = ""


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A threshold, chosen by `chosen_by` rows and measured by `measured_by` others: the accuracy of
    the cascade and of each model alone, and the share of the rows that go on. `is_sure`: by the
    rows it was chosen by, the lower bound of the accuracy reaches the target, not only the accuracy
    itself (None: no threshold reaches it, and this is the most accurate one)."""

    target: float
    threshold: float
    is_sure: bool | None
    chosen_by: int
    measured_by: int
    accuracy: Interval
    first_alone: Interval
    last_alone: Interval
    escalated: Interval

    @property
    def is_met(self) -> bool:
        """True if the lower bound of the accuracy, by the rows it is measured by, reaches the
        target."""
        return self.accuracy.low >= self.target


def choose(rows: Sequence[BothAnswers], target: float) -> ThresholdChoice:
    """The lowest threshold with which the cascade reaches the `target` accuracy (0 to 1). Raises
    UsageError for too few rows."""
    choosing, measuring = (_Half([row for row in rows if _half(row) == half]) for half in (0, 1))
    if min(choosing.sample.rows, measuring.sample.rows) < LEAST_ROWS // 2:
        raise UsageError(
            f"--cascade: gold and the answers of both models: of {count(len(rows), 'row')}, too "
            f"few to choose by one half and to measure by the other; {LEAST_ROWS} are the "
            "least, and a narrow interval needs hundreds"
        )
    threshold, is_sure = _lowest(choosing, target)
    return ThresholdChoice(
        target=target,
        threshold=threshold,
        is_sure=is_sure,
        chosen_by=choosing.sample.rows,
        measured_by=measuring.sample.rows,
        accuracy=measuring.accuracy(threshold),
        first_alone=estimates.share(measuring.first, measuring.sample),
        last_alone=estimates.share(measuring.last, measuring.sample),
        escalated=estimates.share(measuring.goes_on(threshold), measuring.sample),
    )


def _half(row: BothAnswers) -> int:
    return random.Random(row.id).getrandbits(1)


class _Half:
    """Some of the rows, as columns."""

    def __init__(self, rows: Sequence[BothAnswers]) -> None:
        import numpy as np

        # Without a confidence a row goes on, whatever the threshold is.
        self.confidence = np.array(
            [-1.0 if row.confidence is None else row.confidence for row in rows]
        )
        self.first = np.array([row.is_first_right for row in rows], dtype=bool)
        self.last = np.array([row.is_last_right for row in rows], dtype=bool)
        weights = [1.0 if row.weight is None else row.weight for row in rows]
        is_weighted = any(row.weight is not None for row in rows)
        strata = [row.stratum for row in rows]
        self.sample = Sample(len(rows), weights, strata) if is_weighted else Sample(len(rows))

    def goes_on(self, threshold: float) -> "Flags":
        return self.confidence < threshold

    def accuracy(self, threshold: float) -> Interval:
        import numpy as np

        right = np.where(self.goes_on(threshold), self.last, self.first)
        return estimates.share(right, self.sample)

    def candidates(self) -> list[float]:
        """The thresholds that tell the rows apart, ascending; of very many some."""
        known = sorted({round(float(one), _DIGITS) for one in self.confidence if one >= 0})
        step = max(1, len(known) // _MOST_CANDIDATES)
        return sorted({0.0, *known[::step], 1.0})


def _lowest(half: _Half, target: float) -> tuple[float, bool | None]:
    found = [(threshold, half.accuracy(threshold)) for threshold in half.candidates()]
    for threshold, accuracy in found:
        if accuracy.low >= target:
            return threshold, True
    for threshold, accuracy in found:
        if accuracy.expected >= target:
            return threshold, False
    return max(found, key=lambda each: each[1].expected)[0], None
