"""The time of generation: from steps, from a pace, from a roofline, and how sure each is."""

import random

import pytest

from llmbatch.core import step_cost
from llmbatch.core.interval import Interval
from llmbatch.core.step_cost import StepCost, StepMoments
from llmbatch.estimate import batching, generation_time
from llmbatch.estimate.batching import Scheduler
from llmbatch.estimate.generation_time import PastWork, Workload

TRUE = StepCost(0.010, 0.0002, 0.00003, 0.0)
NOTHING = Interval.exactly(0.0)


def load(requests: int, slots: int, output: float = 20.0, prompt: float = 100.0) -> Workload:
    return Workload(
        requests,
        Interval.exactly(requests * prompt),
        Interval.exactly(requests * output),
        [output / 2, output, output * 1.5],
        Scheduler(slots, 2_048),
    )


def truth(work: Workload) -> float:
    found = work.steps(work.computed.expected, work.output.expected)
    return TRUE.seconds(found.steps, found.sequences, work.computed.expected)


def measured(seed: int, noise: float, batches: list[int], outlier: float = 0.0) -> PastWork:
    """The work of an engine that has run batches of these sizes, 20 steps each."""
    rng = random.Random(seed)
    sums = StepMoments()
    for batch in batches:
        for step in range(20):
            prefill = 100 * batch if step == 0 else 0
            seconds = TRUE.seconds(1, batch, prefill) * rng.lognormvariate(0, noise)
            sums += StepMoments.of_step(seconds, batch, prefill)
    sums += StepMoments.of_step(TRUE.seconds(1, batches[-1], 0) + outlier, batches[-1], 0)
    done = batching.StepCount(sums.steps, sums.s)
    return PastWork(done, sums.p + sums.s, sums.t, step_cost.fit(sums), sums)


GROUPS = [1, 2, 3, 5, 8, 12, 19]


@pytest.mark.parametrize("slots", [8, 64, 256])
@pytest.mark.parametrize("requests", [200, 5_000])
def test_a_sample_tells_the_time_of_larger_batches(slots: int, requests: int) -> None:
    work = load(requests, slots)
    inside = 0
    for seed in range(20):
        done = measured(seed, 0.2, GROUPS)
        found = generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_SAMPLE).seconds
        inside += found.low <= truth(work) <= found.high
        assert found.high < 9 * found.low
    assert inside == 20


def test_a_disturbed_step_makes_it_less_sure_and_not_absurd() -> None:
    work = load(1_000, 64)
    for seed in range(10):
        done = measured(seed, 0.2, GROUPS, outlier=1.0)
        found = generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_SAMPLE).seconds
        assert found.low <= truth(work) <= found.high


def test_history_of_the_same_batch_is_sure() -> None:
    work = load(2_000, 64)
    done = measured(1, 0.1, [64] * 30)
    found = generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_HISTORY)
    assert found.seconds.expected == pytest.approx(truth(work), rel=0.15)
    assert found.seconds.high - found.seconds.low < 0.6 * found.seconds.expected
    assert found.prefill.expected + found.decode.expected == pytest.approx(found.seconds.expected)
    assert 40 < found.batch <= 64


def test_too_few_steps_are_a_pace_between_two_bounds() -> None:
    work = load(1_000, 64)
    seen = measured(1, 0.0, [10])
    done = PastWork(seen.steps, seen.tokens, seen.seconds, None, StepMoments())
    found = generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_SAMPLE).seconds
    assert found.low <= truth(work) <= found.high
    assert found.high > 3 * found.low


def test_an_engine_without_steps_has_a_pace() -> None:
    work = load(1_000, 64)
    done = PastWork(batching.StepCount(0, 0), 12_000, 10.0, None, StepMoments())
    found = generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_HISTORY).seconds
    assert found.expected == pytest.approx(100.0)
    assert found.low < 60
    assert found.high > 160


def test_unsure_tokens_make_an_unsure_time() -> None:
    sure = load(1_000, 64)
    unsure = Workload(
        1_000, sure.computed, Interval(20_000, 1_000, 100_000), sure.answers, sure.scheduler
    )
    done = measured(1, 0.1, [64] * 30)
    one, other = (
        generation_time.by_past_runs(work, done, NOTHING, generation_time.OF_HISTORY).seconds
        for work in (sure, unsure)
    )
    assert other.high > 3 * one.high
    assert other.low < one.low


def test_what_comes_once_comes_once() -> None:
    done = measured(1, 0.1, [64] * 30)
    rest = Interval(3.0, 0.0, 5.0)
    one, other = (
        generation_time.by_past_runs(
            load(1_000, 64), done, each, generation_time.OF_HISTORY
        ).seconds
        for each in (NOTHING, rest)
    )
    assert other.expected == pytest.approx(one.expected + 3.0)


def test_the_error_grows_with_the_distance_from_what_was_measured() -> None:
    done = measured(1, 0.2, GROUPS)
    assert done.cost is not None
    near, far = (
        step_cost.standard_error(done.moments, done.cost, work) / done.cost.seconds(*work)
        for work in ((100.0, 1_000.0, 5_000.0), (100.0, 100_000.0, 500_000.0))
    )
    assert near < 0.2 < far


def test_a_roofline_is_wide() -> None:
    work = load(1_000, 64)

    def least(computed: float, output: float) -> tuple[float, float]:
        return computed * 1e-4, output * 1e-3

    gpu, cpu = (generation_time.by_roofline(work, least, on_cpu=on_cpu) for on_cpu in (False, True))
    assert gpu.prefill.expected == pytest.approx(20.0)
    assert gpu.prefill.low == pytest.approx(10.0 / 0.75)
    assert gpu.prefill.high == pytest.approx(10.0 / 0.25)
    assert gpu.seconds.low > 30
    assert cpu.seconds.high > 3 * gpu.seconds.high


def test_nothing_to_do_takes_no_time() -> None:
    work = Workload(0, NOTHING, NOTHING, [1.0], Scheduler(8))
    assert work.steps(0, 0) == batching.StepCount(0, 0)
