"""The agreement of two raters beyond chance: Cohen's kappa (J. Cohen 1960), as scikit-learn has it.

Of answers and the labels of people, or of a judge that is a model and people: 0 is what chance
gives two that use each label as often as these do, 1 is full agreement, below 0 is worse than
chance. Its interval is that of a bootstrap.
"""

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING

from llmbatch.core.interval import Interval
from llmbatch.quality import estimates
from llmbatch.quality.estimates import Sample

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

KAPPA = "kappa"
"""The name of the figure."""


def kappa(
    first: Sequence[str], second: Sequence[str | None], sample: Sample, within: "Numbers"
) -> Interval:
    """Kappa of two ratings of each row, of the rows `within` a group that both have rated; no
    number where there are none, or where both give one label only."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    both = np.array([bool(inside) for inside in within]) & [each is not None for each in second]
    if not both.any():
        return Interval(nan, nan, nan)
    names = sorted({*first, *(each for each in second if each is not None)})
    places = {name: place for place, name in enumerate(names)}
    count = len(names)
    parts = np.zeros((len(first), 2 * count + 1))
    for row in np.flatnonzero(both):
        one, other = first[row], second[row]
        assert other is not None, "rated by both"
        parts[row, places[one]] = 1
        parts[row, count + places[other]] = 1
        parts[row, 2 * count] = one == other
    return estimates.of_sums({KAPPA: lambda sums: _of_sums(sums, count)}, parts, sample)[KAPPA]


def _of_sums(sums: "Numbers", count: int) -> "Numbers":
    """Kappa from the rows with each label of the first rater, of the second, and those alike."""
    ones, others, alike = sums[..., :count], sums[..., count : 2 * count], sums[..., 2 * count]
    rows = ones.sum(axis=-1)
    by_chance = (ones * others).sum(axis=-1) / (rows * rows)
    found: Numbers = (alike / rows - by_chance) / (1 - by_chance)
    return found
