"""The bounds of chance hold for counts that chance has made, and equal those of scipy."""

import random
from collections import Counter

import pytest
from scipy import stats

from llmbatch.quality.drift import chance


@pytest.mark.parametrize("cells", [2, 5, 10])
@pytest.mark.parametrize("alpha", [1e-2, 1e-4, 1e-6])
def test_the_index_by_chance_is_chi_square(cells: int, alpha: float) -> None:
    exact = stats.chi2.isf(alpha, cells - 1) * (1 / 300 + 1 / 900)
    assert exact * 0.99 <= chance.psi_by_chance(300, 900, cells, alpha) <= exact * 1.2


def test_the_index_of_equal_shares_is_nothing_and_of_others_as_by_hand() -> None:
    assert chance.psi([1000, 3000], [2000, 6000]) == pytest.approx(0, abs=1e-4)
    # (0.5 - 0.25) ln 2 + (0.5 - 0.75) ln (2 / 3)
    assert chance.psi([50_000, 50_000], [25_000, 75_000]) == pytest.approx(0.2747, abs=1e-3)


def test_samples_of_one_source_seldom_pass_the_bound() -> None:
    rng = random.Random(1)
    passed = 0
    for _ in range(400):
        now, before = (Counter(rng.choices(range(6), k=size)) for size in (120, 400))
        counts = [[some[cell] for cell in range(6)] for some in (now, before)]
        passed += chance.psi(*counts) > chance.psi_by_chance(120, 400, 6, 0.05)
    assert 5 <= passed <= 40  # of 400 about 20


@pytest.mark.parametrize(
    ("now", "rows", "before", "former"), [(3, 50, 0, 350), (9, 100, 12, 900), (40, 500, 20, 500)]
)
def test_more_events_are_judged_by_the_binomial_tail(
    now: int, rows: int, before: int, former: int
) -> None:
    exact = stats.binom.sf(now - 1, now + before, rows / (rows + former))
    assert chance.is_more(now, rows, before, former, exact * 1.01)
    assert not chance.is_more(now, rows, before, former, exact * 0.99)


def test_very_many_events_are_judged_alike() -> None:
    exact = stats.binom.sf(1299, 2400, 0.5)
    assert chance.is_more(1300, 9000, 1100, 9000, exact * 1.5)
    assert not chance.is_more(1300, 9000, 1100, 9000, exact / 1.5)


def test_shares_differ_in_both_directions_and_near_the_whole() -> None:
    assert chance.differs(0, 500, 60, 500, 1e-6)
    assert chance.differs(60, 500, 0, 500, 1e-6)
    assert chance.differs(500, 500, 440, 500, 1e-6)
    assert not chance.differs(0, 50, 0, 50, 1e-6)
    assert not chance.differs(500, 500, 498, 500, 1e-3)
