"""Figures of all rows, estimated from those whose right answer is known, with 95 % intervals.

Shares get the interval of E. B. Wilson (1927), so that a share of 1 of few rows is not certain.
Rows that were drawn with unequal probabilities count with their weights, 1 / probability. Shares of
strata are put together by the distances to their Wilson bounds (G. Zou, W. Huang and X. Zhang 2009,
"A note on confidence interval estimation for a linear function of binomial proportions"), each by
the root of the part of the stratum that was not looked at; of a group of rows, whose part of each
stratum is itself estimated, the variance of that is added (by the linearisation of a ratio; C.-E.
Särndal, B. Swensson and J. Wretman, Model Assisted Survey Sampling, 1992, chapter 5).

All other figures get the percentiles of a bootstrap: of 1,000 samples of the rows, with replacement
and by stratum, from a fixed seed. Weighted rows are resampled as in J. N. K. Rao, C. F. J. Wu and
K. Yue 1992, "Some recent work on resampling methods for complex surveys".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from llmbatch.core.interval import Interval
from llmbatch.core.interval import share as wilson

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

DRAWS = 1_000
"""Samples of a bootstrap."""
SEED = 20_261_128
_Z2 = NormalDist().inv_cdf(0.975) ** 2
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Sample:
    """The rows that figures are estimated from. `weights`: 1 / the probability with which each was
    drawn, None: all rows count alike, and others like them are meant; `strata`: the name of each
    row's stratum, None: all are of one."""

    rows: int
    weights: Sequence[float] | None = None
    strata: Sequence[str] | None = None

    @property
    def is_weighted(self) -> bool:
        """True if the rows count with weights."""
        return self.weights is not None

    @cached_property
    def counted(self) -> "Numbers":
        """The weight of each row."""
        import numpy as np  # not before it is needed: its import takes longer than most commands

        given = self.weights
        return np.ones(self.rows) if given is None else np.asarray(given, dtype=float)

    @cached_property
    def parts(self) -> "list[Numbers]":
        """The rows of each stratum, by their places."""
        import numpy as np

        if self.strata is None:
            return [np.arange(self.rows)]
        _, codes = np.unique(np.asarray(self.strata, dtype=object).astype(str), return_inverse=True)
        return [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]

    def unseen(self, part: "Numbers") -> float:
        """The share of a stratum that was not looked at; 1 where no weight says how large it is."""
        whole = float(self.counted[part].sum())
        return max(0.0, 1 - len(part) / whole) if self.is_weighted and whole > 0 else 1.0


def share(
    hits: "Sequence[bool] | Numbers",
    sample: Sample,
    within: "Sequence[bool] | Numbers | None" = None,
) -> Interval:
    """The share of rows that are hits, among those `within` a group of rows (None: all). Anything
    from 0 to 1 where the group is empty."""
    import numpy as np

    hit = np.asarray(hits, dtype=float)
    inside = np.ones(sample.rows, bool) if within is None else np.asarray(within, dtype=bool)
    if not sample.is_weighted:
        return wilson(int(hit[inside].sum()), int(inside.sum()))
    weights = sample.counted * inside
    total = float(weights.sum())
    if total <= 0:
        return wilson(0, 0)
    value = float(weights @ hit) / total
    below = above = extra = 0.0
    for part in sample.parts:
        found = _of_stratum(hit, weights, inside, value, total, part, sample.unseen(part))
        below, above, extra = (sum(each) for each in zip((below, above, extra), found, strict=True))
    wide = max(0.0, extra) * _Z2
    return Interval(
        value, max(0.0, value - sqrt(below + wide)), min(1.0, value + sqrt(above + wide))
    )


def _of_stratum(
    hit: "Numbers",
    weights: "Numbers",
    inside: "Numbers",
    value: float,
    total: float,
    part: "Numbers",
    unseen: float,
) -> tuple[float, float, float]:
    """The part of a stratum in the squared distances of the bounds, below and above, and in the
    variance that these do not hold."""
    own, hits = weights[part], hit[part]
    linear = own * (hits - value) / total
    variance = unseen * float(((linear - linear.mean()) ** 2).sum())
    if (whole := float(own.sum())) <= 0:
        return 0.0, 0.0, variance
    weight, here = whole / total, float(own @ hits) / whole
    # As many rows of one weight as tell as much (L. Kish 1965).
    rows = whole * whole / float((own * own).sum())
    low, high = wilson_of(here, rows)
    held = unseen * weight * weight * here * (1 - here) / rows
    scale = unseen * weight * weight
    return scale * (here - low) ** 2, scale * (high - here) ** 2, variance - held


def wilson_of(value: float, rows: float) -> tuple[float, float]:
    """Wilson's bounds of a share that was seen in so many rows, maybe no whole number of them."""
    if rows <= 0:
        return 0.0, 1.0
    middle = (value + _Z2 / (2 * rows)) / (1 + _Z2 / rows)
    half = sqrt(_Z2) * sqrt(value * (1 - value) / rows + _Z2 / (4 * rows**2)) / (1 + _Z2 / rows)
    return min(value, max(0.0, middle - half)), max(value, min(1.0, middle + half))


Statistic = Callable[["Numbers"], "Numbers"]
"""A figure of sums over rows: of an array whose last axis has the sums, one number for each of its
other places."""


def of_sums(
    statistics: Mapping[str, Statistic],
    parts: "Numbers",
    sample: Sample,
    draws: int = DRAWS,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Figures of weighted sums over rows; `parts`: what each row adds (rows x sums)."""
    import numpy as np

    totals = sample.counted @ parts
    generator = np.random.default_rng(seed)
    drawn = np.array([_drawn(sample, generator) @ parts for _ in range(draws)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: _percentiles(float(statistic(totals)), statistic(drawn), sample)
            for name, statistic in statistics.items()
        }


def bootstrap(
    statistic: "Callable[[Numbers], float]", sample: Sample, draws: int = DRAWS, seed: int = SEED
) -> Interval:
    """A figure of weighted rows that is none of sums: `statistic` takes the weight of each row."""
    import numpy as np

    value = float(statistic(sample.counted))
    generator = np.random.default_rng(seed)
    found = np.array([statistic(_drawn(sample, generator)) for _ in range(draws)], dtype=float)
    return _percentiles(value, found, sample)


def mean(values: "Sequence[float] | Numbers", sample: Sample) -> Interval:
    """The mean of a figure that each row has, from 0 to 1."""
    import numpy as np

    each = np.asarray(values, dtype=float)
    parts = np.stack([each, np.ones(len(each))], axis=1)
    return of_sums({"mean": lambda sums: sums[..., 0] / sums[..., 1]}, parts, sample)["mean"]


def _percentiles(value: float, found: "Numbers", sample: Sample) -> Interval:
    """The bounds by the draws; those of which the figure is not a number are left out. Where all
    draws are alike, as of a figure of 1, they are Wilson's of a share of so many rows."""
    import numpy as np

    found = found[np.isfinite(found)]
    if not np.isfinite(value) or not len(found):
        return Interval(nan, nan, nan)
    low, high = (float(each) for each in np.percentile(found, _PERCENTILES))
    if np.ptp(found) < _ALIKE and 0 <= value <= 1:
        low, high = wilson_of(value, sample.rows)
    return Interval(value, min(value, low), max(value, high))


_ALIKE = 1e-12


def _drawn(sample: Sample, generator: Any) -> "Numbers":
    """The weights of the rows in another sample of the same kind."""
    import numpy as np

    weights = sample.counted.copy()
    for part in sample.parts:
        rows = len(part)
        if not sample.is_weighted:
            times = np.bincount(generator.integers(0, rows, rows), minlength=rows)
            weights[part] = times
        elif rows > 1:
            times = np.bincount(generator.integers(0, rows, rows - 1), minlength=rows)
            scale = sqrt(sample.unseen(part))
            weights[part] *= 1 - scale + scale * rows / (rows - 1) * times
    return weights


def combined(parts: Sequence[Interval], weights: Sequence[float]) -> Interval:
    """A weighted mean of figures that are independent, by the distances to their bounds."""
    total = sum(weights)
    pairs = [(part, weight / total) for part, weight in zip(parts, weights, strict=True)]
    value = sum(part.expected * share for part, share in pairs)
    below = sqrt(sum(((part.expected - part.low) * share) ** 2 for part, share in pairs))
    above = sqrt(sum(((part.high - part.expected) * share) ** 2 for part, share in pairs))
    return Interval(value, value - below, value + above)
