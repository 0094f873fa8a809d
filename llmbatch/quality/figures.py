"""The figures of a gold set, and the rows that they are made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmbatch.core.interval import Interval
from llmbatch.quality.estimates import Sample

Kind = Literal["label", "json", "text", "ranking", "pairs", "score"]
KINDS: tuple[Kind, ...] = ("label", "json", "text", "ranking", "pairs", "score")
"""How answers are compared with gold: see `evaluation`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of so many `rows`, between `low` and `high` with 95 % confidence; None where there
    is nothing to tell it by. `by`: the way to the interval, "wilson", "strata" or "bootstrap"."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    by: str


@dataclass(slots=True)
class GoldRow:
    """A row whose right answer is known. `answer`: its answer as a value, None if it has none;
    `why`: the kind of failure of a row that has none, or its state; `weight` and `stratum`: of a
    row that was drawn (None: all rows count alike); `by`: its values in the columns of groups."""

    row: int
    id: str
    line: int
    is_answered: bool
    answer: Any
    gold: Any
    confidence: float | None = None
    why: str | None = None
    weight: float | None = None
    stratum: str = ""
    by: tuple[str, ...] = ()


def sample_of(rows: Sequence[GoldRow]) -> Sample:
    """The rows as a sample: weighted if one of them has a weight."""
    if not any(row.weight is not None for row in rows):
        return Sample(len(rows))
    weights = [1.0 if row.weight is None else row.weight for row in rows]
    return Sample(len(rows), weights, [row.stratum for row in rows])


def of_interval(name: str, found: Interval, rows: int, by: str) -> Figure:
    """A figure with the bounds of an interval."""
    values = (found.expected, found.low, found.high)
    if not rows or not all(map(math.isfinite, values)):
        return Figure(name, None, None, None, rows, by)
    return Figure(name, *values, rows, by)


def share_by(sample: Sample) -> str:
    """The way to the interval of a share."""
    return "strata" if sample.is_weighted else "wilson"
