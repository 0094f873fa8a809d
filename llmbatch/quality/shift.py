"""The distance of two distributions, and the probability that chance alone makes it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

MODERATE, LARGE = 0.1, 0.25
"""The usual thresholds of the population stability index: below the first one nothing has shifted,
from the second one on much has (N. Siddiqi, Credit Risk Scorecards, 2006)."""
# Rows that stand in for those of a value that one side has and the other has not.
_NONE = 0.5
_BY_CHANCE = 0.05
SIGNIFICANT = 0.05
"""Below this probability a difference is no chance: one in twenty equal pairs comes there."""

Level = Literal["none", "moderate", "large"]


@dataclass(frozen=True, slots=True)
class Stability:
    """The population stability index of two counts of values, the sum of (q - p) ln(q / p) over the
    shares p and q of a value. `by_chance`: 95 in 100 pairs of samples of this size from one and the
    same population are below it; `level`: by the usual thresholds, "none" also where chance
    explains it."""

    index: float
    by_chance: float
    level: Level


@dataclass(frozen=True, slots=True)
class Test:
    """A test of whether two sides are alike. `p_value`: the probability of a difference like this
    or a greater one where they are."""

    __test__ = False  # no test of ours

    name: Literal["chi-squared", "Stuart-Maxwell", "McNemar", "Kolmogorov-Smirnov"]
    statistic: float
    freedom: int | None
    p_value: float


def stability(before: Mapping[str, int], after: Mapping[str, int]) -> Stability | None:
    """The stability of values that so many rows have on each side; None where a side has no row."""
    rows, later = sum(before.values()), sum(after.values())
    if not rows or not later:
        return None
    index, kinds = 0.0, before.keys() | after.keys()
    for value in kinds:
        was, now = before.get(value, 0), after.get(value, 0)
        p, q = (was or _NONE) / rows, (now or _NONE) / later
        index += (q - p) * math.log(q / p)
    chance = _by_chance(len(kinds), rows, later)
    is_chance = index <= chance or index < MODERATE
    return Stability(
        index, chance, "none" if is_chance else "large" if index >= LARGE else "moderate"
    )


def _by_chance(kinds: int, rows: int, later: int) -> float:
    """Under one population the index times nm / (n + m) is about chi-squared with one degree of
    freedom less than values (B. Yurdakul and J. Naranjo, Statistical properties of the population
    stability index, 2020)."""
    if kinds < 2:
        return 0.0
    from scipy.special import chdtri  # scipy.stats takes a second to import

    return float(chdtri(kinds - 1, _BY_CHANCE)) * (1 / rows + 1 / later)


def homogeneity(before: Mapping[str, int], after: Mapping[str, int]) -> Test | None:
    """Pearson's chi-squared test of homogeneity of two independent samples; None where one is
    empty, or all rows have one value."""
    kinds = sorted({kind for side in (before, after) for kind, rows in side.items() if rows})
    table = [[side.get(kind, 0) for kind in kinds] for side in (before, after)]
    if len(kinds) < 2 or not all(map(sum, table)):
        return None
    from scipy.stats import chi2_contingency

    found = chi2_contingency(table, correction=False)
    return Test("chi-squared", float(found.statistic), int(found.dof), float(found.pvalue))


def marginal_homogeneity(pairs: Mapping[tuple[str, str], int]) -> Test | None:
    """The test of Stuart (1955) and Maxwell (1970) on paired rows: whether values are as frequent
    after as before, where (value before, value after) has so many rows. None where no row changed.

    Of two values it is McNemar's test without a correction.
    """
    import numpy as np
    from scipy.special import chdtrc

    moved = {pair: rows for pair, rows in pairs.items() if pair[0] != pair[1] and rows}
    kinds = sorted({kind for pair in moved for kind in pair})
    if not kinds:
        return None
    place = {kind: number for number, kind in enumerate(kinds)}
    table = np.zeros((len(kinds), len(kinds)))
    for (was, now), rows in moved.items():
        table[place[was], place[now]] = rows
    out, into = table.sum(axis=1), table.sum(axis=0)
    covariance = np.diag(out + into) - (table + table.T)
    freedom = int(np.linalg.matrix_rank(covariance))
    difference = out - into
    # Values that change only among themselves are a part of their own: the rank counts the parts.
    statistic = float(difference @ np.linalg.pinv(covariance) @ difference)
    return Test("Stuart-Maxwell", statistic, freedom, float(chdtrc(freedom, statistic)))


def exact_mcnemar(only_before: int, only_after: int) -> Test:
    """McNemar's exact test (two-sided) of rows that are right on one side only: whether the two
    sides are right equally often. `statistic`: the smaller of the two."""
    from scipy.stats import binomtest

    changed, least = only_before + only_after, min(only_before, only_after)
    p_value = float(binomtest(least, changed, 0.5).pvalue) if changed else 1.0
    return Test("McNemar", least, None, p_value)


def kolmogorov_smirnov(before: Sequence[float], after: Sequence[float]) -> Test | None:
    """The two-sample test of Kolmogorov and Smirnov; None where a side is empty."""
    if not len(before) or not len(after):
        return None
    from scipy.stats import ks_2samp

    found = ks_2samp(before, after, method="auto")
    return Test("Kolmogorov-Smirnov", float(found.statistic), None, float(found.pvalue))
