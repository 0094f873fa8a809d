"""The cost of a run so far, and its projected cost."""

import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Usage
from llmbatch.job.cost import CostSpec
from llmbatch.pipeline.monitoring.cost_so_far import RunCost

USAGE = Usage(prompt=2_000_000, cached=500_000, output=1_000_000)


def run_cost(seconds_ago: float, **cost: object) -> RunCost:
    prices = CostSpec.model_validate(cost)
    return RunCost(prices, clock.seconds() - seconds_ago, prices.devices or 1)


def test_devices_are_paid_by_the_hour_from_the_start_of_the_run() -> None:
    hour = run_cost(3600, price_per_hour=1.5, devices=4)
    assert hour.so_far(Usage()) == pytest.approx(6.0, rel=1e-3)
    # Half of the rows took an hour, with the start; the others take half an hour.
    assert hour.projected(Usage(), 0.5, 1800) == pytest.approx(9.0, rel=1e-3)


def test_tokens_are_paid_each() -> None:
    tokens = run_cost(3600, price_per_million="1/4/0.5")
    assert tokens.so_far(USAGE) == pytest.approx(1.5 + 0.25 + 4)
    assert tokens.projected(USAGE, 0.25, 10) == pytest.approx(4 * 5.75)


def test_an_engine_that_counts_oddly_costs_no_negative_amount() -> None:
    odd = run_cost(1, price_per_million="1/1/0").so_far(Usage(prompt=5, cached=50, output=0))
    assert odd == 0


@pytest.mark.parametrize("cost", [{}, {"devices": 3}])
def test_without_a_price_there_is_no_amount(cost: dict[str, object]) -> None:
    free = run_cost(10, **cost)
    assert free.so_far(USAGE) is None
    assert free.projected(USAGE, 0.5, 10) is None


def test_there_is_no_guess_before_there_is_a_rate() -> None:
    assert run_cost(10, price_per_hour=1).projected(Usage(), 0.0, None) is None
    assert run_cost(10, price_per_million="1/1").projected(Usage(), 0.0, 5.0) is None


def test_prompts_and_answers_that_are_left_are_paid_by_their_own_shares() -> None:
    tokens = run_cost(3600, price_per_million="1/4/0.5")
    # Half of the rows are done, but only a quarter of what is to be read.
    assert tokens.projected(USAGE, 0.5, 10, 0.25) == pytest.approx(4 * 1.75 + 2 * 4)
    assert tokens.projected(USAGE, 0.5, 10, 0.0) is None
