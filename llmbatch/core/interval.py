"""Expected figures with bounds: their sums, products and samples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Self

# Of 95 % intervals: 2.5 % on each side are outside.
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure that is not known exactly. It lies between `low` and `high` about 95 times in
    100, if the figures that they were computed from are right."""

    expected: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Self:
        return cls(value, value, value)

    @classmethod
    def about(cls, value: float, share: float) -> Self:
        """`value`, more or less by a share of it, but not below zero."""
        return cls(value, max(0.0, value * (1 - share)), value * (1 + share))

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    def __add__(self, other: "Interval") -> "Interval":
        """The sum of two independent figures: their deviations add up as squares."""
        expected = self.expected + other.expected
        below = math.hypot(self.expected - self.low, other.expected - other.low)
        above = math.hypot(self.high - self.expected, other.high - other.expected)
        return Interval(expected, expected - below, expected + above)

    def __mul__(self, factor: float) -> "Interval":
        """A multiple; the factor is not negative and is known."""
        return Interval(self.expected * factor, self.low * factor, self.high * factor)

    def within(self, low: float, high: float) -> "Interval":
        """Cut off at bounds that are certain."""
        return Interval(*(min(max(value, low), high) for value in self._values()))

    def at_least_around(self, share: float) -> "Interval":
        """At least as wide as `share` of the expected value on both sides."""
        return Interval(
            self.expected,
            min(self.low, self.expected * (1 - share)),
            max(self.high, self.expected * (1 + share)),
        )

    def rounded(self) -> "Interval":
        """Rounded to whole numbers, the bounds outwards."""
        return Interval(round(self.expected), math.floor(self.low), math.ceil(self.high))

    def _values(self) -> tuple[float, float, float]:
        return self.expected, self.low, self.high


def total(parts: Sequence[Interval]) -> Interval:
    """The sum of independent figures."""
    return sum(parts, Interval.exactly(0.0))


def of_function(function: Callable[..., float], *inputs: Interval) -> Interval:
    """A function of independent figures: each goes to its bounds while the others stay as expected,
    and the deviations add up as squares (Gaussian error propagation)."""
    expected = function(*(each.expected for each in inputs))
    below = above = 0.0
    for index, one in enumerate(inputs):
        values = [each.expected for each in inputs]
        reached = [expected]
        for bound in {one.low, one.high} - {one.expected}:
            values[index] = bound
            reached.append(function(*values))
        below = math.hypot(below, expected - min(reached))
        above = math.hypot(above, max(reached) - expected)
    return Interval(expected, expected - below, expected + above)


def extremes(function: Callable[..., float], *inputs: Interval) -> Interval:
    """A rising or falling function of figures that may all be off at once: its least and its
    largest value at their bounds."""
    bounds = [function(*corner) for corner in product(*((one.low, one.high) for one in inputs))]
    expected = function(*(each.expected for each in inputs))
    return Interval(expected, min(expected, *bounds), max(expected, *bounds))


@dataclass(frozen=True, slots=True)
class PairSample:
    """Pairs (x, y) of a sample. x is known for all things, the total of y is wanted: where y
    depends on x, a regression on x makes the total far more certain."""

    count: int
    mean_x: float
    mean_y: float
    slope: float
    residual: float  # standard deviation of y around the regression line
    skewness: float  # of the same: above zero where a few things are far larger than the others

    @classmethod
    def from_pairs(cls, pairs: Sequence[tuple[float, float]]) -> Self:
        """Least squares over the pairs; at least one. Without a spread of x the slope is zero."""
        import numpy as np  # not before it is needed: its import takes longer than most commands

        x, y = np.array(pairs, dtype=float).T
        mean_x, mean_y, count = float(x.mean()), float(y.mean()), len(pairs)
        x, y = x - mean_x, y - mean_y
        xx, xy, yy = (float(sum_) for sum_ in (x @ x, x @ y, y @ y))
        slope = xy / xx if xx > 0 and xy * xy >= _LEAST_EXPLAINED * xx * yy else 0.0
        unexplained = max(0.0, yy - slope * xy)
        free = max(1, count - (2 if slope else 1))
        # A single one shows no scatter: it may be off by as much again.
        residual = math.sqrt(unexplained / free) if count > 1 else mean_y
        return cls(count, mean_x, mean_y, slope, residual, _skewness(y - slope * x, residual))

    def total_of_all(self, things: int, sum_x: float) -> Interval:
        """The total of y over `things` things, those looked at among them, whose x sum up to
        `sum_x` (the regression estimator; W. G. Cochran, Sampling Techniques, 1977, chapter 7)."""
        rest = max(0.0, 1 - self.count / things) if things else 0.0
        below, above = self._of_mean()
        scale = things * math.sqrt(rest)
        expected = self._at(things, sum_x)
        return Interval(expected, expected - scale * below, expected + scale * above)

    def total_of_others(self, things: int, sum_x: float) -> Interval:
        """As above, for things none of which were looked at: they scatter, too."""
        below, above = self._of_mean()
        less, more = self._of_others(things)
        expected = self._at(things, sum_x)
        return Interval(
            expected,
            expected - math.hypot(things * below, less),
            expected + math.hypot(things * above, more),
        )

    def _of_mean(self) -> tuple[float, float]:
        """Bounds of the mean of all, as distances below and above that of the sample. A sample of a
        skewed population mostly has too few of the large things, and then too small a spread as
        well: Hall's transformation (P. Hall, On the Removal of Skewness by Transformation, 1992)
        corrects both."""
        scale = self.residual / math.sqrt(self.count)
        skewed = self.skewness / math.sqrt(self.count)
        return scale * _straight(self._t, skewed), -scale * _straight(-self._t, skewed)

    def _of_others(self, things: int) -> tuple[float, float]:
        """Bounds of the sum of so many, as distances below and above the expected one, where their
        mean is known (E. A. Cornish and R. A. Fisher 1938, to the first order)."""
        if not things:
            return 0.0, 0.0
        t = self._t
        shift = self.skewness * (t * t - 1) / (6 * math.sqrt(things))
        scale = self.residual * math.sqrt(things)
        return scale * max(t - shift, t / 2), scale * max(t + shift, t / 2)

    def _at(self, things: int, sum_x: float) -> float:
        return things * self.mean_y + self.slope * (sum_x - things * self.mean_x)

    @property
    def _t(self) -> float:
        return student(max(1, self.count - (2 if self.slope else 1)))


def _skewness(deviations: Sequence[float], spread: float) -> float:
    """The third moment of deviations from their mean in units of their standard deviation."""
    if not any(deviations) or spread <= 0:
        return 0.0
    return sum((each / spread) ** 3 for each in deviations) / len(deviations)


def _straight(quantile: float, skewed: float) -> float:
    """A quantile of a mean in standard errors; `skewed`: the skewness of things by the root of
    their number."""
    if abs(skewed) < _NO_SKEW:
        return quantile
    bent = 1 + skewed * (quantile - skewed / 6)
    return 3 / skewed * (math.copysign(abs(bent) ** (1 / 3), bent) - 1)


_NO_SKEW = 1e-6
_MOST_UNCERTAIN = 0.9
# Below this share of explained variance (r squared) x explains too little of y, as where the
# pipeline starts long requests early.
_LEAST_EXPLAINED = 0.1


def student(free: int) -> float:
    """The 97.5 % quantile of Student's t with `free` degrees of freedom, by its expansion around
    the normal one (Abramowitz and Stegun 1964, 26.7.5); within 2 % from three degrees on."""
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / free + second / free**2 + third / free**3


def of_few(count: int) -> float:
    """The least relative uncertainty of what so many things show: few of them may be alike by
    chance, and then scatter less than all do. 0.5 for four, 0.14 for fifty."""
    return min(_MOST_UNCERTAIN, 1 / math.sqrt(max(1, count)))


def share(hits: int, tries: int) -> Interval:
    """A share of which `hits` in `tries` were seen (E. B. Wilson 1927); anything, without tries."""
    if not tries:
        return Interval(0.0, 0.0, 1.0)
    seen, z2 = hits / tries, _Z * _Z
    middle = (seen + z2 / (2 * tries)) / (1 + z2 / tries)
    half = _Z * math.sqrt(seen * (1 - seen) / tries + z2 / (4 * tries**2)) / (1 + z2 / tries)
    return Interval(seen, min(seen, max(0.0, middle - half)), max(seen, min(1.0, middle + half)))
