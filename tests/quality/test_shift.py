"""The tests and the index equal their formulas, and chance does not set them off."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from llmbatch.quality import shift


def counts(rng: random.Random, rows: int, kinds: str = "abcd") -> Counter[str]:
    return Counter(rng.choices(kinds, k=rows))


def test_the_stability_index_is_its_formula() -> None:
    before, after = {"a": 60, "b": 40}, {"a": 40, "b": 60}
    found = shift.stability(before, after)
    assert found is not None
    assert found.index == pytest.approx(2 * 0.2 * math.log(1.5))
    assert found.by_chance == pytest.approx(stats.chi2.ppf(0.95, 1) * 0.02)
    assert found.level == "moderate"
    assert shift.stability({"a": 90, "b": 10}, {"a": 40, "b": 60}).level == "large"  # type: ignore[union-attr]
    assert shift.stability(before, before).index == 0  # type: ignore[union-attr]
    assert shift.stability({}, after) is None


def test_a_value_that_one_side_lacks_counts_as_half_a_row() -> None:
    found = shift.stability({"a": 100}, {"a": 50, "b": 50})
    assert found is not None
    assert found.index == pytest.approx(
        (0.5 - 1) * math.log(0.5) + (0.5 - 0.005) * math.log(0.5 / 0.005)
    )


def test_few_rows_of_one_population_are_no_shift() -> None:
    rng = random.Random(1)
    levels = Counter(
        shift.stability(counts(rng, 20), counts(rng, 20)).level  # type: ignore[union-attr]
        for _ in range(400)
    )
    assert levels["none"] >= 0.9 * 400


def test_homogeneity_is_pearsons() -> None:
    found = shift.homogeneity({"a": 30, "b": 10}, {"a": 20, "c": 20})
    table = np.array([[30, 10, 0], [20, 0, 20]])
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    assert found is not None
    assert found.statistic == pytest.approx(statistic)
    assert found.freedom == 2
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 2))
    assert shift.homogeneity({"a": 3}, {"a": 4}) is None
    assert shift.homogeneity({"a": 3}, {}) is None


def test_of_two_values_stuart_maxwell_is_mcnemar() -> None:
    found = shift.marginal_homogeneity({("a", "a"): 50, ("a", "b"): 15, ("b", "a"): 5})
    assert found is not None
    assert found.statistic == pytest.approx((15 - 5) ** 2 / 20)
    assert found.freedom == 1
    assert shift.marginal_homogeneity({("a", "a"): 50}) is None


def test_of_three_values_stuart_maxwell_is_its_closed_form() -> None:
    """Fleiss and Everitt (1971): the statistic of three values by their marginal differences."""
    moved = {
        ("a", "b"): 9,
        ("b", "a"): 4,
        ("a", "c"): 7,
        ("c", "a"): 2,
        ("b", "c"): 6,
        ("c", "b"): 5,
    }
    d1, d2, d3 = (9 + 7) - (4 + 2), (4 + 6) - (9 + 5), (2 + 5) - (7 + 6)
    n12, n13, n23 = (9 + 4) / 2, (7 + 2) / 2, (6 + 5) / 2
    expected = (n23 * d1**2 + n13 * d2**2 + n12 * d3**2) / (2 * (n12 * n23 + n12 * n13 + n13 * n23))
    found = shift.marginal_homogeneity(moved)
    assert found is not None
    assert found.statistic == pytest.approx(expected)
    assert found.freedom == 2


def test_values_that_change_among_themselves_are_parts_of_their_own() -> None:
    found = shift.marginal_homogeneity({("a", "b"): 9, ("b", "a"): 1, ("c", "d"): 4, ("d", "c"): 4})
    assert found is not None
    assert found.statistic == pytest.approx(6.4)
    assert found.freedom == 2


def test_paired_tests_reject_one_in_twenty_where_nothing_has_changed() -> None:
    rng = random.Random(3)
    rejected = 0
    for _ in range(300):
        pairs = Counter(
            (was := rng.choice("abc"), was if rng.random() < 0.7 else rng.choice("abc"))
            for _ in range(300)
        )
        found = shift.marginal_homogeneity(pairs)
        rejected += found is not None and found.p_value < shift.SIGNIFICANT
    assert 3 <= rejected <= 30


def test_mcnemar_is_the_binomial_tail() -> None:
    assert shift.exact_mcnemar(0, 0).p_value == 1
    tail = sum(math.comb(10, k) for k in (0, 1)) / 2**10
    assert shift.exact_mcnemar(1, 9).p_value == pytest.approx(2 * tail)


def test_kolmogorov_smirnov_is_the_largest_step() -> None:
    found = shift.kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])
    assert found is not None
    assert found.statistic == pytest.approx(0.5)
    assert shift.kolmogorov_smirnov([], [1.0]) is None
