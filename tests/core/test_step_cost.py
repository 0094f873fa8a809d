"""The cost of a token, learned from steps."""

import random
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.step_cost import StepCost, StepMoments, fit, standard_error, weights

MILLI = 1e-3


def steps(cost: StepCost, count: int, *, noise: float = 0.0, seed: int = 0) -> StepMoments:
    """Moments of random steps that cost what `cost` says."""
    drawn = random.Random(seed)
    total = StepMoments()
    for _ in range(count):
        sequences, prefill = drawn.randint(1, 256), drawn.choice([0, 0, 0, drawn.randint(1, 4096)])
        seconds = cost.seconds(1, sequences, prefill) * (1 + drawn.uniform(-noise, noise))
        total += StepMoments.of_step(seconds, sequences, prefill)
    return total


def test_the_cost_of_exact_steps_is_found() -> None:
    truth = StepCost(12 * MILLI, 0.05 * MILLI, 0.02 * MILLI, 0.0)
    found = fit(steps(truth, 200))
    assert found is not None
    assert found.per_step == pytest.approx(truth.per_step, rel=1e-6)
    assert found.per_sequence == pytest.approx(truth.per_sequence, rel=1e-6)
    assert found.per_prefill_token == pytest.approx(truth.per_prefill_token, rel=1e-6)
    assert found.spread < 1e-3


def test_noise_shows_as_spread_and_hardly_moves_the_cost() -> None:
    truth = StepCost(10 * MILLI, 0.1 * MILLI, 0.03 * MILLI, 0.0)
    found = fit(steps(truth, 3_000, noise=0.2))
    assert found is not None
    assert found.per_prefill_token == pytest.approx(truth.per_prefill_token, rel=0.05)
    assert 0.03 < found.spread < 0.3


def test_no_part_is_negative() -> None:
    """Steps that take less the more they do: only the fixed cost remains."""
    total = StepMoments()
    for size in range(1, 40):
        total += StepMoments.of_step(1.0 / size, size, 0)
    found = fit(total)
    assert found is not None
    assert min(found.per_step, found.per_sequence, found.per_prefill_token) >= 0


def test_steps_that_are_all_alike_tell_their_sum_only() -> None:
    total = StepMoments()
    for _ in range(50):
        total += StepMoments.of_step(0.01, 8, 0)
    found = fit(total)
    assert found is not None
    assert found.seconds(50, 400, 0) == pytest.approx(0.5)


def test_few_steps_say_nothing_and_weigh_all_tokens_alike() -> None:
    one = StepMoments.of_step(0.5, 4, 6)
    assert fit(one) is None
    weighed = weights(one)
    assert not weighed.measured
    assert weighed.prompt == weighed.output == pytest.approx(0.05)
    assert weights(StepMoments()).prompt == weights(StepMoments()).output == 1.0


def test_an_output_token_carries_its_share_of_the_fixed_cost() -> None:
    truth = StepCost(10 * MILLI, 0.1 * MILLI, 0.03 * MILLI, 0.0)
    moments = steps(truth, 500)
    weighed = weights(moments)
    assert weighed.measured
    assert weighed.prompt == pytest.approx(truth.per_prefill_token, rel=1e-6)
    assert weighed.seconds(moments.p, moments.s) == pytest.approx(moments.t, rel=1e-6)
    assert weighed.output > truth.per_sequence


def test_output_tokens_that_came_with_another_one_share_its_cost() -> None:
    moments = steps(StepCost(10 * MILLI, 0.1 * MILLI, 0.03 * MILLI, 0.0), 500)
    accepted = round(moments.s / 2)
    weighed = weights(moments, accepted)
    assert weighed.prompt == weights(moments).prompt
    assert weighed.seconds(moments.p, moments.s + accepted) == pytest.approx(moments.t, rel=1e-6)
    few = StepMoments.of_step(0.5, 4, 6)
    assert weights(few, 10).output == pytest.approx(0.5 / 20)


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 100), st.integers(0, 1024), st.integers(0, 100_000)), max_size=60
    )
)
def test_weights_are_positive_for_any_steps(drawn: list[tuple[float, int, int]]) -> None:
    total = sum((StepMoments.of_step(*step) for step in drawn), StepMoments())
    weighed = weights(total)
    assert weighed.prompt > 0
    assert weighed.output > 0


def test_moments_survive_json_and_older_stores_have_none() -> None:
    moments = StepMoments.of_step(0.5, 4, 6)
    assert StepMoments.from_json(asdict(moments)) == moments
    assert StepMoments.from_json(None) == StepMoments()


@pytest.mark.parametrize(
    ("truth", "count", "noise", "costs", "error"),
    [
        (
            (0.01, 1e-4, 3e-5),
            3000,
            0.2,
            (0.010064403006207836, 9.907375629218928e-05, 3.0041336972884054e-05),
            0.3017149602874909,
        ),
        (
            (0.012, 5e-5, 2e-5),
            40,
            0.5,
            (0.01184042847222857, 4.312246897489532e-05, 2.608237552819322e-05),
            3.2153453433599806,
        ),
    ],
)
def test_a_fit_is_that_of_an_elimination_by_hand(
    truth: tuple[float, float, float],
    count: int,
    noise: float,
    costs: tuple[float, float, float],
    error: float,
) -> None:
    """The values are those of Gauss's elimination with pivots."""
    moments = steps(StepCost(*truth, 0.0), count, noise=noise, seed=int(count == 40))
    cost = fit(moments)
    assert cost is not None
    found = (cost.per_step, cost.per_sequence, cost.per_prefill_token)
    assert found == pytest.approx(costs, rel=1e-9)
    assert standard_error(moments, cost, (1000, 2e5, 1e6)) == pytest.approx(error, rel=1e-9)
