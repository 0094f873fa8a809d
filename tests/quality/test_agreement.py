"""Cohen's kappa, against scikit-learn's."""

from math import isnan

import numpy as np
import pytest

from llmbatch.quality import agreement
from llmbatch.quality.estimates import Sample


@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d"][: 2 + seed % 3]
    first = [str(each) for each in rng.choice(names, 80)]
    second = [one if rng.random() < 0.6 else str(rng.choice(names)) for one in first]
    weights = [float(each) for each in rng.integers(1, 9, 80)]
    everywhere = np.ones(80, dtype=bool)
    found = agreement.kappa(first, second, Sample(80), everywhere)
    assert found.expected == pytest.approx(cohen_kappa_score(first, second))
    assert found.low < found.expected < found.high
    weighted = agreement.kappa(first, second, Sample(80, weights, ["s"] * 80), everywhere)
    wanted = cohen_kappa_score(first, second, sample_weight=weights)
    assert weighted.expected == pytest.approx(wanted)


def test_rows_that_one_has_not_rated_and_those_of_other_groups_do_not_count() -> None:
    first, second = ["a", "b", "a", "b", "a"], ["a", "b", "b", None, "b"]
    within = np.array([True, True, False, True, True])
    some = agreement.kappa(first, second, Sample(5), within)
    alone = agreement.kappa(["a", "b", "a"], ["a", "b", "b"], Sample(3), np.ones(3, dtype=bool))
    assert some.expected == pytest.approx(alone.expected)


@pytest.mark.parametrize("second", [["a", "a"], [None, None]])
def test_without_two_labels_there_is_nothing_beyond_chance(second: list[str | None]) -> None:
    found = agreement.kappa(["a", "a"], second, Sample(2), np.ones(2, dtype=bool))
    assert isnan(found.expected)
