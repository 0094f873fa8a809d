"""The effect of chance on counts of rows that are drawn from the same source."""

import math
from collections.abc import Sequence
from statistics import NormalDist

# From so many events on their number is nearly normal.
_MANY = 2_000
_SMOOTHED = 0.5


def psi(now: Sequence[int], before: Sequence[int]) -> float:
    """The population stability index of two rows of counts over the same cells (Siddiqi, Credit
    Risk Scorecards, 2006): the sum of (p - q) ln(p / q) over the shares p and q of the cells. A
    half is added to each count, so that an empty cell counts as rare and not as impossible."""
    total = sum(now) + _SMOOTHED * len(now)
    former = sum(before) + _SMOOTHED * len(before)
    pairs = (
        ((a + _SMOOTHED) / total, (b + _SMOOTHED) / former)
        for a, b in zip(now, before, strict=True)
    )
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def psi_by_chance(now: int, before: int, cells: int, alpha: float) -> float:
    """The index that two samples of so many rows from one source pass with probability `alpha`:
    over (1/now + 1/before) it has nearly a chi-square distribution with one degree of freedom less
    than there are cells (Yurdakul and Naranjo, Statistical properties of the population stability
    index, Journal of Risk Model Validation 14(4), 2020)."""
    return _chi_square(cells - 1, alpha) * (1 / now + 1 / before)


def _chi_square(degrees: int, alpha: float) -> float:
    """The value that a chi-square distribution passes with probability `alpha`, by the cube root
    of Wilson and Hilferty (1931), which is on the safe side far out."""
    spread = 2 / (9 * degrees)
    normal = NormalDist().inv_cdf(1 - alpha)
    return float(degrees * (1 - spread + normal * math.sqrt(spread)) ** 3)


def is_more(now: int, rows: int, before: int, rows_before: int, alpha: float) -> bool:
    """True if chance alone makes `now` of `rows` so many more than `before` of `rows_before` with
    less than the probability `alpha`. Of all these events the share that falls on the rows of now
    is binomial (Przyborowski and Wilenski, Biometrika 31, 1940)."""
    events, share = now + before, rows / (rows + rows_before)
    if events > _MANY:
        spread = math.sqrt(events * share * (1 - share))
        return (now - 0.5 - events * share) / spread > NormalDist().inv_cdf(1 - alpha)
    return _upper_tail(now, events, share) < alpha


def _upper_tail(least: int, events: int, share: float) -> float:
    """The probability of at least so many of the events, each with this probability."""
    if not least:
        return 1.0
    logs = (
        math.lgamma(events + 1)
        - math.lgamma(k + 1)
        - math.lgamma(events - k + 1)
        + k * math.log(share)
        + (events - k) * math.log1p(-share)
        for k in range(least, events + 1)
    )
    return math.fsum(map(math.exp, logs))


def differs(now: int, rows: int, before: int, rows_before: int, alpha: float) -> bool:
    """True if chance makes two shares so different with less than the probability `alpha`; the
    rarer of the event and its absence is counted."""
    if 2 * (now + before) > rows + rows_before:
        now, before = rows - now, rows_before - before
    more = is_more(now, rows, before, rows_before, alpha / 2)
    return more or is_more(before, rows_before, now, rows, alpha / 2)
