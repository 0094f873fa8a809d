"""The play of a scheduler: steps and batches from lengths."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.estimate import batching
from llmbatch.estimate.batching import Scheduler, StepCount, count_steps, simulate
from llmbatch.pipeline.run import stragglers


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 20))
def test_without_a_budget_it_is_list_scheduling(lengths: list[int], slots: int) -> None:
    found = simulate(iter([(7, length) for length in lengths]), Scheduler(slots))
    assert found == StepCount(stragglers.count_steps(lengths, slots), sum(lengths))


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 20)), min_size=1, max_size=40),
    st.integers(1, 10),
    st.integers(20, 200),
)
def test_a_budget_bounds_what_a_step_computes(
    requests: list[tuple[int, int]], slots: int, budget: int
) -> None:
    found = simulate(iter(requests), Scheduler(slots, budget))
    tokens = sum(prompt for prompt, _ in requests)
    answers = [answer for _, answer in requests]
    assert found.steps >= tokens / budget
    assert found.steps >= stragglers.count_steps(answers, slots) - 1e-9
    assert found.sequences >= sum(answers)
    assert found.sequences <= slots * found.steps


def test_a_long_prompt_takes_several_steps() -> None:
    assert simulate(iter([(1_000, 1)]), Scheduler(4, 100)).steps == 10
    # Three prompts of 100 tokens with 100 in a step: one after the other; the last has an answer
    # of five tokens.
    found = simulate(iter([(100, 1), (100, 1), (100, 5)]), Scheduler(8, 100))
    assert found.steps == 7


def test_many_requests_go_on_at_the_pace_of_the_first() -> None:
    rng = random.Random(0)
    answers = [float(rng.randint(4, 60)) for _ in range(500)]
    scheduler = Scheduler(64, 2_048)
    exact = simulate(iter((50, round(answers[n % 500])) for n in range(40_000)), scheduler)
    found = count_steps([50.0], answers, 40_000, scheduler)
    assert found.steps == pytest.approx(exact.steps, rel=0.01)
    assert found.sequences == pytest.approx(exact.sequences, rel=0.01)


def test_parts_of_tokens_add_up() -> None:
    found = count_steps([1.5], [2.5], 1_000, Scheduler(1))
    assert found.sequences == 2_500


def test_nothing_to_do_takes_no_steps() -> None:
    assert count_steps([1.0], [1.0], 0, Scheduler(8)) == StepCount(0, 0)


def test_lengths_are_thinned_evenly() -> None:
    assert batching.resample([1.0, 2.0], 5) == [1, 2]
    assert batching.resample([float(n) for n in range(100)], 4) == [0, 25, 50, 75]
