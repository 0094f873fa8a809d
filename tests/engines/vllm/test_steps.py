"""Time and work of steps, by the figures that the engine core sends with each."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmbatch.core.step_cost import StepMoments, fit
from llmbatch.engines.vllm.core_channel import StepOutput
from llmbatch.engines.vllm.stats import Stats
from llmbatch.engines.vllm.steps import KNOWN, WARM_UP_STEPS, Steps

LIMIT = 100  # tokens in a step


def step(
    at: float,
    answering: int = 1,
    prefilled: tuple[int, ...] = (),
    queued_at: float | None = None,
    asked_at: float | None = None,
) -> StepOutput:
    return StepOutput([], [], 0, None, at, queued_at, asked_at, answering, list(prefilled))


def warm(longest: int = 10 * LIMIT) -> Steps:
    """One that has seen its warm-up, until second 0."""
    steps = Steps(LIMIT, longest)
    for number in range(WARM_UP_STEPS):
        steps.count(step(at=number - WARM_UP_STEPS + 1), 0)
    steps.rest()
    assert steps.moments() == StepMoments()
    steps.count(step(at=0.0, answering=0), 0)
    return steps


def ended(steps: Steps) -> StepMoments:
    steps.rest()
    return steps.moments()


def of(*each: tuple[float, int, int]) -> StepMoments:
    return sum((StepMoments.of_step(*one) for one in each), StepMoments())


def test_a_step_lasts_from_the_end_of_the_one_before() -> None:
    steps = warm()
    steps.count(step(at=2.0, answering=3, prefilled=(10, 20)), 0)
    steps.count(step(at=2.5, answering=4), 0)
    assert ended(steps) == of((2.0, 3, 30), (0.5, 4, 0))


def test_a_step_after_a_pause_begins_with_the_arrival_of_a_request() -> None:
    steps = warm()
    steps.pause()
    steps.count(step(at=60.0, queued_at=59.0), 0)
    steps.count(step(at=60.5, queued_at=58.0), 0)  # it had waited while the engine worked
    assert ended(steps) == of((1.0, 1, 0), (0.5, 1, 0))


def test_where_we_make_the_steps_our_own_time_between_them_is_none_of_theirs() -> None:
    steps = warm()
    steps.count(step(at=10.0, asked_at=9.5), 0)
    assert ended(steps) == of((0.5, 1, 0))


def test_recomputed_tokens_are_prefilled_again() -> None:
    steps = warm()
    steps.count(step(at=1.0), 7)
    assert ended(steps) == of((1.0, 1, 7))


def test_steps_that_only_wait_teach_nothing() -> None:
    steps = warm()
    for at in (1.0, 2.0, 3.0):
        steps.count(step(at=at, answering=0), 0)
    assert ended(steps) == StepMoments()


def prefills(steps: Steps) -> list[float]:
    """Prompt tokens of the steps that are open."""
    return [prefill for _, _, prefill in steps._open][1:]


@pytest.mark.parametrize(
    ("told", "computed"),
    [
        # The answer of a prompt of 250 tokens begins in the third step.
        ([(0, ()), (0, ()), (1, (250,))], [100, 100, 50]),
        # Beside three running requests each step has less room.
        ([(3, ()), (3, ()), (4, (230,))], [97, 97, 36]),
        # The next prompt in line gets the room that is left.
        ([(0, ()), (1, (150,)), (1, (120,))], [100, 99, 71]),
        # Short ones that began together were computed together.
        ([(0, ()), (3, (30, 30, 30))], [0, 90]),
        # More than there seems to have been room for is not lost.
        ([(90, ()), (90, (300,))], [10, 290]),
    ],
)
def test_a_long_prompt_is_divided_among_the_steps_that_had_room(
    told: list[tuple[int, tuple[int, ...]]], computed: list[int]
) -> None:
    steps = warm()
    steps._open[0][1] = LIMIT  # the step before had none
    for number, (answering, prefilled) in enumerate(told):
        steps.count(step(float(number), answering, prefilled), 0)
    found = prefills(steps)
    assert found == pytest.approx(computed, abs=4)
    assert sum(found) == sum(sum(prefilled) for _, prefilled in told)


@given(some.lists(some.integers(1, 600), min_size=1, max_size=40))
def test_long_prompts_in_a_row_are_taken_apart_as_the_scheduler_does(prompts: list[int]) -> None:
    """A scheduler that fills each step with the prompts in their order, an answer of one token."""
    left, truth, steps = list(prompts), [], warm(longest=600)
    at = 0.0
    while left:
        room, begun, used = LIMIT, [], 0
        while left and room:
            part = min(room, left[0])
            room, used = room - part, used + part
            left[0] -= part
            if not left[0]:
                left.pop(0)
                begun.append(prompts[len(prompts) - len(left) - 1])
        at += 0.1 + 0.01 * used
        steps.count(step(at, len(begun), tuple(begun)), 0)
        truth.append(used)
    moments = ended(steps)
    assert moments.p == pytest.approx(sum(truth))
    assert moments.t == pytest.approx(at)


def test_the_cost_of_a_prompt_token_is_found_although_prompts_are_divided() -> None:
    """Prompts of two and a half steps, each followed by steps without one."""
    steps, at = warm(longest=300), 0.0
    for turn in range(60):
        decode = 1 + turn % 3
        for chunk, begun in ((97, ()), (97, ()), (56, (250,)), (0, ()), (0, ())):
            answering = decode + (1 if begun else 0)
            at += 0.010 + 0.001 * answering + 0.0005 * chunk
            steps.count(step(at, answering, begun), 0)
    found = fit(ended(steps))
    assert found is not None
    assert found.per_prefill_token == pytest.approx(0.0005, rel=0.05)
    assert found.per_step == pytest.approx(0.010, rel=0.2)


def test_the_warm_up_is_left_out() -> None:
    steps = Steps(LIMIT, LIMIT)
    steps.count(step(at=100.0, queued_at=0.0), 0)
    for number in range(1, 10):
        steps.count(step(at=100.0 + number), 0)
    moments = ended(steps)
    assert (moments.steps, moments.t) == (10 - WARM_UP_STEPS, 10 - WARM_UP_STEPS)


def test_a_step_that_was_held_up_counts_nowhere() -> None:
    steps, usual = warm(), (0.01, 1, 0)
    at = 0.0

    def count(seconds: float, answering: int = 1, prefilled: tuple[int, ...] = ()) -> None:
        nonlocal at
        at += seconds
        steps.count(step(at, answering, prefilled), 0)

    for _ in range(KNOWN):
        count(0.01)
    count(0.75)
    count(0.01)
    count(0.24)  # short in itself
    count(0.75, prefilled=(90,))  # long, but with as much more to do
    found = ended(steps)
    wanted = of(*[usual] * (KNOWN + 1), (0.24, 1, 0), (0.75, 1, 90))
    assert found.steps == wanted.steps
    assert found.t == pytest.approx(wanted.t)
    assert (found.s, found.p) == (wanted.s, wanted.p)


def test_an_engine_that_has_become_slow_is_not_taken_for_held_up() -> None:
    steps = warm()
    for number in range(KNOWN):
        steps.count(step(at=0.01 * (number + 1)), 0)
    for number in range(4):
        steps.count(step(at=1.0 + number), 0)
    assert ended(steps).steps == KNOWN + 3


def test_of_the_first_steps_none_is_held_up() -> None:
    steps = warm()
    for number in range(KNOWN - 1):
        steps.count(step(at=0.01 * (number + 1)), 0)
    steps.count(step(at=1.0), 0)
    assert ended(steps).steps == KNOWN


def test_telemetry_has_them() -> None:
    prefixes = SimpleNamespace(preempted_requests=0, preempted_queries=0, preempted_hits=0)
    said: Any = SimpleNamespace(
        num_running_reqs=2,
        num_waiting_reqs=0,
        num_skipped_waiting_reqs=0,
        kv_cache_usage=0.5,
        prefix_cache_stats=prefixes,
    )
    stats = Stats(4, tokens_per_step=LIMIT, longest_prompt=LIMIT)
    for number in range(10):
        output = StepOutput([], [], 0, said, float(number), None, None, 2, [5])
        stats.step(output, rows_left=True)
    stats.rest()
    moments = stats.telemetry().moments
    assert (moments.steps, moments.s, moments.p) == (8, 16, 40)
