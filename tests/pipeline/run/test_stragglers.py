"""Long requests are started early where that saves steps, and nowhere else."""

import random
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.outcomes import Usage
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.stragglers import (
    LEAST,
    AnswerLengths,
    Stragglers,
    arrange,
    count_steps,
)
from llmbatch.store import plans
from llmbatch.store.plans import PlannedRequest
from tests.workbench import Bench, engine

LENGTHS = st.lists(st.integers(1, 50), max_size=60)


def step_by_step(lengths: list[int], slots: int) -> int:
    """The steps of an engine, each a token for each of the first `slots`."""
    running: list[int] = []
    waiting, count = list(lengths), 0
    while running or waiting:
        while waiting and len(running) < slots:
            running.append(waiting.pop(0))
        running = [left - 1 for left in running if left > 1]
        count += 1
    return count


@given(LENGTHS, st.integers(1, 9))
def test_steps_are_those_of_an_engine(lengths: list[int], slots: int) -> None:
    assert count_steps(lengths, slots) == step_by_step(lengths, slots)


@given(LENGTHS, st.integers(1, 9))
def test_an_arrangement_is_an_order_and_never_dearer(lengths: list[int], slots: int) -> None:
    texts = [f"text {length % 5} {place}" for place, length in enumerate(lengths)]
    found = arrange(lengths, texts, slots, 0.25)
    assert sorted(found.order) == list(range(len(lengths)))
    assert found.steps <= count_steps(lengths, slots)


def test_a_long_last_request_is_started_early() -> None:
    lengths = [10.0] * 63 + [100.0]
    found = arrange(lengths, [""] * 64, 8, 0.25)
    assert found.order[0] == 63
    assert found.steps == 100
    assert count_steps(lengths, 8) == 170


def test_a_prefix_group_is_not_broken_for_less_than_it_saves() -> None:
    lengths = [10.0] * 56 + [12.0]
    groups = ["x" * 4000 + str(place) for place in range(28)]
    groups += ["y" * 4000 + str(place) for place in range(29)]
    order = arrange(lengths, groups, 8, 0.25).order
    changes = sum(groups[one][0] != groups[next_][0] for one, next_ in pairwise(order))
    assert changes == 1
    apart = [str(place) + "x" * 4000 for place in range(57)]
    assert arrange(lengths, apart, 8, 0.25).order[0] == 56


def test_what_is_under_way_counts() -> None:
    lengths, texts = [1.0] * 15 + [20.0], [""] * 16
    assert arrange(lengths, texts, 8, 0.25).order[0] == 15
    # With so much ahead of them all, the last one ends before the others do.
    assert arrange(lengths, texts, 8, 0.25, [100.0] * 7).order == list(range(16))


def test_lengths_are_told_only_when_prompts_tell_them() -> None:
    known, noise, few = AnswerLengths(100), AnswerLengths(100), AnswerLengths(100)
    draw = random.Random(1)
    for number in range(LEAST * 4):
        known.learn(number, 5 + number // 2)
        noise.learn(draw.randint(1, 100), draw.randint(1, 100))
    for number in range(LEAST - 1):
        few.learn(number, number)
    expected = known.expect([0, 100, 1000])
    assert expected is not None
    assert [round(length) for length in expected] == [5, 55, 100]
    assert noise.expect([1, 2]) is None
    assert few.expect([1, 2]) is None


def planned(texts: list[str]) -> list[PlannedRequest]:
    return [PlannedRequest(place, str(place), 1, text) for place, text in enumerate(texts)]


def test_the_end_is_arranged_when_enough_is_known() -> None:
    end = Stragglers(1000)
    end.slots = 4
    requests = planned(["short"] * 40 + ["long" * 100])
    taken = end.ordered(requests, list)
    first = next(taken)
    assert first.position == 0
    for number in range(1, LEAST + 1):
        end.learn(number, Usage(prompt=number, output=number))
    assert next(taken).position == 40
    assert [one.position for one in taken] == list(range(1, 40))


def test_without_a_number_of_slots_nothing_changes() -> None:
    end = Stragglers(1000)
    for number in range(LEAST * 2):
        end.remember(number, number)
    requests = planned(["short"] * 40 + ["long" * 100])
    assert end.end == 0
    assert list(end.ordered(requests, list)) == requests


def job(count: int) -> list[str]:
    """Answers as long as their prompts; in planned order the long ones come last."""
    draw = random.Random(2)
    words = [draw.randint(2, 8) for _ in range(count)] + [60] * 3
    return [f"{number:04d} LENGTH:{n}" + " w" * (n - 2) for number, n in enumerate(words)]


def test_a_run_ends_without_a_tail(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job(200), sampling={"max_tokens": 64})
    scripted = engine(window=16, slots=8, delay=0.002)
    assert bench.drive(scripted)
    assert bench.counts().answered == 203
    in_order = [int(text.split()[1].partition(":")[2]) for text in job(200)]
    # As planned, the three long ones would run by themselves in the end.
    assert scripted.telemetry().steps <= count_steps(in_order, 8) - 15


def test_a_second_run_knows_the_lengths_from_the_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job(200), sampling={"max_tokens": 64})
    bench.drive(engine(window=16, slots=8))
    again = Rounds(bench.db, bench.job, plans.NOTHING_PENDING, bench.limits, bench.settlement)
    assert again.stragglers.known == 203
    other = ready_job.make(bench.spec.model_copy(update={"prompt": "Say: {{ t }}"}))
    fresh = Rounds(bench.db, other, plans.NOTHING_PENDING, bench.limits, bench.settlement)
    assert fresh.stragglers.known == 0


def test_expected_lengths_are_those_of_least_squares() -> None:
    """Also far from zero, where sums of floats would cancel."""
    draw = random.Random(3)
    lengths = AnswerLengths(10**9)
    pairs = [(n + 10**6, 3 * n + draw.randrange(200) + 1) for n in range(300)]
    for prompt, output in pairs:
        lengths.learn(prompt, output)
    prompts_seen, outputs_seen = zip(*pairs, strict=True)
    slope, start = numpy.polyfit(prompts_seen, outputs_seen, 1)
    prompts = [10**6, 10**6 + 150.5]
    expected = [start + slope * prompt for prompt in prompts]
    assert lengths.expect(prompts) == pytest.approx(expected, rel=1e-6)
