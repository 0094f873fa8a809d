"""The cost of runs, and their cost without savings: every figure follows from the others."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.accounting import phases as accounting_phases
from llmbatch.accounting import runs
from llmbatch.accounting.costs import AvoidedTokens, Costs, sum_up
from llmbatch.accounting.usage import Rates, RunUsage
from llmbatch.core.errors import UsageError
from llmbatch.core.step_cost import StepMoments, Weights
from llmbatch.job.cost import CostSpec, TokenPrice
from tests.accounting.test_usage import NOTHING, RUN

# 700,000 prompt tokens, 400,000 of them cached, 300,000 output tokens; 3,600 s at 4.00 for each
# of two devices, 1,800 s of which are generation and 5 s of that idle. An output token takes four
# times as long as a prompt token: 300,000 + 1,200,000 units in 1,795 s.
WEIGHTED = replace(RUN, weights=Weights(0.001, 0.004, measured=True))
UNIT = 1795 / 1_500_000 * 8 / 3600
BY_TOKEN = replace(RUN, price_per_hour=None, price_per_million=Rates(2.0, 0.5, 10.0))


def of(*chosen: RunUsage, saved: tuple[AvoidedTokens, ...] = (), **listed: Any) -> Costs:
    price = TokenPrice.model_validate(listed) if listed else None
    return sum_up(chosen, saved, price)


def phases(costs: Costs) -> dict[str, Any]:
    return {phase.name: (phase.seconds, phase.cost) for phase in costs.phases}


def test_the_time_of_a_run_is_its_phases() -> None:
    found = phases(of(WEIGHTED))
    assert found["reading and planning"] == (100.0, pytest.approx(100 / 450))
    assert found["engine start"] == (600.0, pytest.approx(600 / 450))
    assert found["prefill"] == (pytest.approx(359), pytest.approx(359 / 450))
    assert found["decode"] == (pytest.approx(1436), pytest.approx(1436 / 450))
    assert found["idle"] == (5.0, pytest.approx(5 / 450))
    assert found["export"] == (50.0, pytest.approx(50 / 450))
    assert found["other"] == (pytest.approx(1050), pytest.approx(1050 / 450))
    assert found["checkpoint"] == (20.0, pytest.approx(20 / 450))
    assert [phase.name for phase in of(WEIGHTED).phases if phase.parallel] == ["checkpoint"]


SECONDS = st.floats(0, 1e6)
USAGES = st.builds(
    lambda total, times, tokens, weights, price: replace(
        RUN,
        seconds=total,
        prepare_seconds=times[0],
        engine_start_seconds=times[1],
        generate_seconds=times[2],
        engine_stop_seconds=times[3],
        idle_seconds=times[4],
        export_seconds=times[5],
        prompt_tokens=tokens[0] + tokens[1],
        cached_tokens=tokens[1],
        output_tokens=tokens[2],
        weights=Weights(weights[0], weights[1], measured=True),
        **price,
    ),
    SECONDS,
    st.lists(SECONDS, min_size=6, max_size=6),
    st.lists(st.integers(0, 10**9), min_size=3, max_size=3),
    st.tuples(st.floats(1e-9, 1), st.floats(1e-9, 1)),
    st.sampled_from(
        [
            {"price_per_hour": 3.5, "devices": 4},
            {"price_per_hour": 0.0},
            {"price_per_hour": None, "price_per_million": Rates(0.15, 0.075, 0.6)},
        ]
    ),
)


@given(chosen=st.lists(USAGES, min_size=1, max_size=4))
def test_the_parts_of_any_runs_add_up(chosen: list[RunUsage]) -> None:
    found = of(
        *chosen,
        saved=tuple(
            AvoidedTokens("duplicates", r, 7, 5, accounting_phases.rates(r)) for r in chosen
        ),
    )
    serial = [phase for phase in found.phases if not phase.parallel]
    assert all(phase.seconds >= 0 and (phase.cost or 0) >= 0 for phase in serial)
    assert sum(phase.seconds for phase in serial) == pytest.approx(
        sum(run.seconds for run in chosen), rel=1e-9, abs=1e-6
    )
    physical = found.physical
    assert physical is not None
    assert physical == pytest.approx(sum(run.cost or 0 for run in chosen))
    assert sum(phase.cost or 0 for phase in serial) == pytest.approx(physical, rel=1e-9, abs=1e-9)
    assert found.virtual == pytest.approx(physical + sum(one.cost or 0 for one in found.savings))
    each, tokens = found.per_million, sum(run.prompt_tokens for run in chosen)
    output = sum(run.output_tokens for run in chosen)
    if each.total is not None:
        spent = (each.input or 0) * tokens + (each.output or 0) * output
        assert spent / 1e6 == pytest.approx(physical)
        computed = sum(run.computed_tokens for run in chosen) * (each.computed_input or 0)
        cached = sum(run.cached_tokens for run in chosen) * (each.cached or 0)
        assert computed + cached == pytest.approx((each.input or 0) * tokens, abs=1e-6)


def test_tokens_carry_the_whole_cost_by_their_weights() -> None:
    each = of(WEIGHTED).per_million
    # Of 8.00 a fifth is the prompt's.
    assert each.input == pytest.approx(1.6 / 0.7)
    assert each.computed_input == pytest.approx(1.6 / 0.3)
    assert each.cached == 0.0
    assert each.output == pytest.approx(6.4 / 0.3)
    assert each.total == pytest.approx(8.0)
    assert (of(WEIGHTED).per_row, of(WEIGHTED).per_1000_rows) == (8 / 7200, 8 / 7.2)


def test_what_was_saved_costs_what_its_generation_would_have() -> None:
    again = AvoidedTokens("duplicates", WEIGHTED, 1000, 200, accounting_phases.rates(WEIGHTED))
    found = of(WEIGHTED, saved=(again,))
    cache, duplicates = found.savings
    assert (cache.by, cache.prompt_tokens, cache.output_tokens) == ("prefix cache", 400_000, 0)
    assert cache.cost == pytest.approx(400_000 * UNIT)
    assert (duplicates.by, duplicates.prompt_tokens, duplicates.output_tokens) == (
        "duplicates", 1000, 200,
    )  # fmt: skip
    assert duplicates.cost == pytest.approx(1800 * UNIT)
    assert found.virtual == pytest.approx(8.0 + 401_800 * UNIT)


def test_reuse_is_told_at_the_seconds_of_the_run_that_worked() -> None:
    """A run that only found answers has no seconds of its own for a token."""
    idle = replace(NOTHING, price_per_hour=40.0, devices=2)
    rates = accounting_phases.rates_like(idle, WEIGHTED)
    assert rates is not None
    assert rates.cost_of(0, 0, 1_000_000) == pytest.approx(10 * 4_000_000 * UNIT)
    assert rates.cost_of(0, 1_000_000, 0) == 0
    found = of(idle, saved=(AvoidedTokens("reuse", idle, 0, 1_000_000, rates),))
    assert found.savings[-1].cost == pytest.approx(10 * 4_000_000 * UNIT)
    assert found.physical == 0


def test_failed_attempts_are_a_part_of_the_cost() -> None:
    # 9,000 prompt tokens, 5,000 of them cached, and 1,000 output tokens.
    assert of(WEIGHTED).wasted == pytest.approx((4000 + 4 * 1000) * UNIT)
    assert of(BY_TOKEN).wasted == pytest.approx(0.008 + 0.0025 + 0.01)


def test_a_price_by_the_token() -> None:
    found = of(BY_TOKEN)
    assert found.basis == "tokens"
    assert found.physical == pytest.approx(0.6 + 0.2 + 3.0)
    assert found.per_million.computed_input == pytest.approx(2.0)
    assert found.per_million.cached == pytest.approx(0.5)
    assert found.per_million.output == pytest.approx(10.0)
    assert found.per_million.input == pytest.approx(0.8 / 0.7)
    times = phases(found)
    assert (times["prefill"][1], times["decode"][1]) == (pytest.approx(0.8), pytest.approx(3.0))
    assert times["engine start"] == (600.0, 0.0)
    assert found.savings[0].cost == pytest.approx(0.4 * 1.5)


def test_runs_of_both_kinds() -> None:
    found = of(WEIGHTED, BY_TOKEN)
    assert found.basis == "mixed"
    assert found.physical == pytest.approx(11.8)
    assert found.per_million.total == pytest.approx(5.9)


def test_a_run_that_computed_nothing_makes_the_others_dearer() -> None:
    found = of(WEIGHTED, replace(NOTHING, seconds=3600.0, idle_seconds=0.0))
    assert found.physical == pytest.approx(16.0)
    assert found.per_million.output == pytest.approx(2 * 6.4 / 0.3)


@pytest.mark.parametrize("other", [{"price_per_hour": None}, {"currency": "EUR"}])
def test_money_that_does_not_add_up_is_left_out(other: dict[str, Any]) -> None:
    odd = replace(WEIGHTED, **other)
    found, alone = of(odd, WEIGHTED, input=1, output=2), of(WEIGHTED, input=1, output=2)
    assert (found.physical, found.per_1000_rows) == (alone.physical, alone.per_1000_rows)
    assert found.per_million == alone.per_million
    assert (found.virtual, found.wasted) == (alone.virtual, alone.wasted)
    costs = [phase.cost for phase in found.phases]
    assert costs == [phase.cost for phase in alone.phases]
    assert phases(found)["engine start"][0] == 1200.0
    # The price to compare with is that of the same tokens.
    assert found.listed == alone.listed


def test_without_any_price_there_is_no_money() -> None:
    found = of(replace(WEIGHTED, price_per_hour=None), input=1, output=2)
    assert found.physical is found.virtual is found.wasted is found.per_1000_rows is None
    each = found.per_million
    assert {getattr(each, price.name) for price in fields(each)} == {None}
    assert {phase.cost for phase in found.phases} == {None}
    assert {saving.cost for saving in found.savings} == {None}
    # The price of others for the tokens is known all the same.
    assert found.listed is not None
    assert found.listed.cost == pytest.approx(0.7 + 0.6)
    assert found.listed.ratio is None


def test_the_same_tokens_at_a_listed_price() -> None:
    listed = of(WEIGHTED, input=2, output=10, cached=0.5, name="somebody").listed
    assert listed is not None
    assert (listed.name, listed.input, listed.output, listed.cached) == ("somebody", 2, 10, 0.5)
    assert listed.cost == pytest.approx(3.8)
    assert listed.ratio == pytest.approx(3.8 / 8.0)


def test_phases_longer_than_the_run_are_scaled_to_it() -> None:
    """The clock was set back while it ran."""
    found = accounting_phases.seconds_by_phase(replace(WEIGHTED, seconds=1275.0))
    assert sum(found.values()) == pytest.approx(1275.0)
    assert found["engine start"] == pytest.approx(300.0)
    assert found["other"] == 0


def test_generation_that_brought_no_token_is_other_time() -> None:
    found = accounting_phases.seconds_by_phase(
        replace(RUN, prompt_tokens=0, cached_tokens=0, output_tokens=0)
    )
    assert (found["prefill"], found["decode"], found["idle"]) == (0, 0, 5)
    assert found["other"] == 3600 - 100 - 600 - 5 - 50


def test_the_weights_of_a_sum_are_those_of_all_steps() -> None:
    steps = sum(
        (StepMoments.of_step(0.2 * s + 0.01 * p, s, p) for s, p in [(1, 9), (2, 0), (3, 5)] * 5),
        StepMoments(),
    )
    found = of(WEIGHTED, replace(WEIGHTED, moments=steps))
    assert found.prompt_weight == pytest.approx(0.01)
    assert found.output_weight == pytest.approx(0.2)
    assert found.weights_measured
    assert of(WEIGHTED).prompt_weight == 0.001


def test_the_cost_table_of_an_older_run_can_be_read() -> None:
    old = {"cost": {"price_per_hour": 2.5, "devices": 3, "currency": "EUR"}}
    assert runs.cost_of(old) == CostSpec(price_per_hour=2.5, devices=3, currency="EUR")
    assert runs.cost_of({"cost": old["cost"] | {"of_a_newer_one": 1}}).devices == 3


@pytest.mark.parametrize(
    "price", [{"price_per_hour": 2.5}, {"price_per_million": {"input": 1, "output": 2}}]
)
def test_amounts_are_not_given_another_currency(price: dict[str, Any]) -> None:
    held = {"cost": price | {"currency": "EUR"}}
    with pytest.raises(UsageError, match=r"--currency CHF: .* in EUR.*--price-per-hour or --price"):
        runs.cost_of(held, CostSpec(currency="CHF"))
    assert runs.cost_of(held, CostSpec(currency="EUR")).currency == "EUR"
    assert runs.cost_of(held, CostSpec(currency="CHF", price_per_hour=1)).currency == "CHF"
    assert runs.cost_of(held, CostSpec(devices=2)).currency == "EUR"
    # There is nothing to be converted.
    assert runs.cost_of({"cost": {"currency": "EUR"}}, CostSpec(currency="CHF")).currency == "CHF"


def test_what_is_given_at_report_time_wins() -> None:
    held = {"cost": {"price_per_hour": 2.5, "devices": 3, "currency": "EUR"}}
    assert runs.cost_of(held, CostSpec(price_per_hour=1.0)).price_per_hour == 1.0
    assert runs.cost_of(held, CostSpec(price_per_hour=1.0)).devices == 3
    by_token = runs.cost_of(held, CostSpec.model_validate({"price_per_million": "1/2"}))
    assert by_token.price_per_hour is None
    assert runs.rates(by_token.price_per_million) == Rates(1.0, 1.0, 2.0)
    assert by_token.currency == "EUR"
    two = {"cost": {"devices": None}, "engine": {"name": "vllm", "tensor_parallel_size": 2}}
    assert runs.cost_of(two).devices == 2
    assert runs.cost_of(two, CostSpec(devices=3)).devices == 3
    assert runs.cost_of({**two, "cost": {"devices": 1}}).devices == 1
    assert runs.cost_of(held, CostSpec(devices=1)).price_per_hour == 2.5
