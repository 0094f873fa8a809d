"""Figures with bounds: their sums, what functions make of them, totals from samples."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core import interval
from llmbatch.core.interval import Interval, PairSample

TRIALS = 500
FIGURES = st.builds(
    lambda value, below, above: Interval(value, value - below, value + above),
    *[st.floats(0, 1e6)] * 3,
)


def holds(found: Interval, truth: float) -> bool:
    return found.low <= truth <= found.high


@given(FIGURES, FIGURES)
def test_a_sum_is_surer_than_the_sum_of_the_bounds(one: Interval, other: Interval) -> None:
    found = one + other
    assert found.low <= found.expected <= found.high
    slack = 1e-6 * (1 + abs(found.high))
    assert found.high <= one.high + other.high + slack
    assert found.high - found.expected >= max(one.high - one.expected, 0) - slack


def test_what_is_exact_stays_exact() -> None:
    assert Interval.exactly(2) + Interval.exactly(3) == Interval.exactly(5)
    assert (Interval.exactly(2) * 3).is_exact
    assert not Interval.about(10, 0.1).is_exact
    assert interval.total([]) == Interval.exactly(0.0)


def test_bounds_that_are_certain_cut_it_off() -> None:
    assert Interval(5, -1, 20).within(0, 10) == Interval(5, 0, 10)
    assert Interval(5.4, 1.5, 9.5).rounded() == Interval(5, 1, 10)
    assert Interval(100, 99, 101).at_least_around(0.1) == Interval(100, 90, 110.00000000000001)


@given(FIGURES, FIGURES)
def test_a_function_of_figures_is_within_its_extremes(one: Interval, other: Interval) -> None:
    def function(a: float, b: float) -> float:
        return 2 * a + b

    found = interval.of_function(function, one, other)
    widest = interval.extremes(function, one, other)
    slack = 1e-6 * (1 + abs(widest.high) + abs(widest.low))
    assert found.expected == widest.expected
    assert widest.low - slack <= found.low <= found.expected
    assert found.expected <= found.high <= widest.high + slack


@pytest.mark.parametrize(
    ("free", "quantile"), [(3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (10**6, 1.960)]
)
def test_students_quantiles(free: int, quantile: float) -> None:
    assert interval.student(free) == pytest.approx(quantile, rel=0.02)


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (50, 100, 0.4038, 0.5962), (10, 10, 0.7225, 1)],
)
def test_a_share_has_wilsons_bounds(hits: int, tries: int, low: float, high: float) -> None:
    found = interval.share(hits, tries)
    assert found.expected == hits / tries
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)


def test_a_share_that_nobody_has_seen_is_anything() -> None:
    assert interval.share(0, 0) == Interval(0, 0, 1)


def population(seed: int, *, related: bool) -> list[tuple[float, float]]:
    """Bytes and tokens of prompts: tokens go with bytes, or do not."""
    rng = random.Random(seed)
    found = []
    for _ in range(5_000):
        size = rng.lognormvariate(6, 0.8)
        tokens = size / 4 * rng.gauss(1, 0.1) + 12 if related else rng.lognormvariate(4, 0.5)
        found.append((size, tokens))
    return found


@pytest.mark.parametrize("related", [True, False])
def test_the_total_of_all_is_in_the_interval_of_a_sample(related: bool) -> None:
    inside = 0
    for seed in range(60):
        things = population(seed, related=related)
        sample = random.Random(seed).sample(things, 300)
        found = PairSample.from_pairs(sample).total_of_all(len(things), sum(x for x, _ in things))
        inside += holds(found, sum(y for _, y in things))
        if related:  # bytes tell so much of tokens that the total is known within a few per cent
            assert found.high - found.low < 0.06 * found.expected
    assert inside >= 54  # of 95 % intervals 57 are expected


def test_the_total_of_others_is_in_its_interval() -> None:
    inside = 0
    for seed in range(60):
        things = population(seed, related=True)
        seen, others = things[:50], things[50:350]
        found = PairSample.from_pairs(seen).total_of_others(len(others), sum(x for x, _ in others))
        inside += holds(found, sum(y for _, y in others))
    assert inside >= 52


def test_all_that_was_looked_at_is_exact() -> None:
    things = population(1, related=True)[:100]
    found = PairSample.from_pairs(things).total_of_all(100, sum(x for x, _ in things))
    assert found.low == pytest.approx(found.high)
    assert found.expected == pytest.approx(sum(y for _, y in things))


def test_a_single_thing_says_that_it_is_single() -> None:
    found = PairSample.from_pairs([(10.0, 4.0)]).total_of_others(10, 100.0)
    assert found.expected == 40
    assert found.high - found.low > 2 * found.expected


@pytest.mark.parametrize(("things", "least"), [(30, 0.93), (2_000, 0.93)])
def test_a_skewed_whole_is_in_its_interval_as_often_as_it_says(things: int, least: float) -> None:
    """A few things are far larger than the others, and many samples have too few of them."""
    rng = random.Random(things)

    def draw(count: int) -> list[tuple[float, float]]:
        return [(0.0, 300.0 if rng.random() < 0.08 else rng.uniform(10, 30)) for _ in range(count)]

    below = above = 0
    for _ in range(TRIALS):
        found = PairSample.from_pairs(draw(60)).total_of_others(things, 0.0)
        truth = sum(y for _, y in draw(things)) if things < 100 else things * 42.4
        below, above = below + (truth < found.low), above + (truth > found.high)
    assert 1 - (below + above) / TRIALS >= least
    assert above / TRIALS < 0.045


def test_without_skew_it_is_students_interval() -> None:
    pairs = [(0.0, float(value)) for value in (8, 9, 10, 11, 12)]
    found = PairSample.from_pairs(pairs).total_of_others(20, 0.0)
    assert found.high - found.expected == pytest.approx(found.expected - found.low)
    error = interval.student(4) * (2.5 * (20 + 20**2 / 5)) ** 0.5
    assert found.high - found.expected == pytest.approx(error)


def test_a_sample_is_summed_up_as_by_hand() -> None:
    """The values are those of the textbook's sums."""
    drawn = random.Random(3)
    pairs = [(x := drawn.uniform(1, 100), 3 * x + drawn.expovariate(0.05)) for _ in range(60)]
    found = PairSample.from_pairs(pairs)
    assert (found.mean_x, found.mean_y, found.slope) == pytest.approx(
        (56.992525380024226, 194.32049415562975, 3.0712927673657773), rel=1e-9
    )
    assert (found.residual, found.skewness) == pytest.approx(
        (27.03175845645359, 1.73725205507394), rel=1e-9
    )
    assert PairSample.from_pairs([(5.0, 2.0)] * 7) == PairSample(7, 5.0, 2.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("count", "share"), [(0, 0.9), (1, 0.9), (4, 0.5), (100, 0.1)])
def test_few_things_show_little(count: int, share: float) -> None:
    assert interval.of_few(count) == pytest.approx(share)
