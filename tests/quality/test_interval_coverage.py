"""Intervals hold the true figure as often as they say, and drawn rows give it without a bias; the
long form is `make verify-intervals`."""

from math import comb

import pytest

from llmbatch.core import interval
from tests.quality.interval_coverage import NOMINAL, Population, bootstrap, simulate


@pytest.mark.parametrize("rows", [20, 100, 400])
def test_the_interval_of_a_share_holds_at_its_rate(rows: int) -> None:
    """Exactly, over all numbers of hits, in the mean over shares from 0.05 to 0.95."""
    bounds = [interval.share(hits, rows) for hits in range(rows + 1)]
    rates = []
    for share in (step / 100 for step in range(5, 96)):
        chances = [
            comb(rows, hits) * share**hits * (1 - share) ** (rows - hits)
            for hits in range(rows + 1)
        ]
        held = (c for c, one in zip(chances, bounds, strict=True) if one.low <= share <= one.high)
        rates.append(sum(held))
    assert sum(rates) / len(rates) == pytest.approx(NOMINAL, abs=0.01)
    assert min(rates) > 0.89


def test_the_interval_of_a_bootstrap_holds_at_its_rate() -> None:
    found = simulate(bootstrap(100, draws=100), samples=200)
    assert found.covered > 0.89
    assert abs(found.bias) < 4 * found.bias_error


@pytest.fixture(scope="module")
def population() -> Population:
    return Population(500)


def test_a_share_by_the_weights_of_drawn_rows_is_unbiased_and_its_interval_holds(
    population: Population,
) -> None:
    found = simulate(population.weighted(60), samples=150)
    assert abs(found.bias) < 4 * found.bias_error
    assert found.covered > 0.88


def test_without_the_weights_the_same_rows_mislead(population: Population) -> None:
    found = simulate(population.unweighted(120), samples=60)
    assert found.bias < -4 * found.bias_error


def test_a_mean_by_the_weights_of_drawn_rows_is_unbiased_and_its_interval_holds(
    population: Population,
) -> None:
    found = simulate(population.weighted_mean(60, draws=60), samples=80)
    assert abs(found.bias) < 4 * found.bias_error
    assert found.covered > 0.84
