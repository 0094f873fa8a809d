"""The waits of the device, by the figures that the engine core sends with each step."""

from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.engines.vllm.core_channel import StepOutput
from llmbatch.engines.vllm.stats import Stats


def said(running: int, waiting: int = 0, blocked: int = 0) -> Any:
    """The scheduler's statistics after a step."""
    prefixes = SimpleNamespace(preempted_requests=2, preempted_queries=30, preempted_hits=10)
    return SimpleNamespace(
        num_running_reqs=running,
        num_waiting_reqs=waiting,
        num_skipped_waiting_reqs=blocked,
        kv_cache_usage=0.5,
        prefix_cache_stats=prefixes,
    )


def step(
    stats: Any, *, ended: int = 0, at: float = 0.0, queued_at: float | None = None
) -> StepOutput:
    return StepOutput([], [], ended, stats, at, queued_at)


@pytest.mark.parametrize(
    ("output", "rows_left", "starved"),
    [
        (step(said(running=3)), True, 1),
        (step(said(running=3)), False, 0),  # the tail of a run has no more to fill it with
        (step(said(running=3), ended=1), True, 0),  # it was full
        (step(said(running=3, waiting=1)), True, 0),  # the cache was full
        (step(said(running=3, blocked=1)), True, 0),  # it waits for its grammar
        (step(None), True, 0),
    ],
)
def test_a_step_starves_when_it_has_room_and_nothing_waits(
    output: StepOutput, rows_left: bool, starved: int
) -> None:
    stats = Stats(max_num_seqs=4)
    stats.step(output, rows_left=rows_left)
    assert (stats.telemetry().steps, stats.telemetry().starved_steps) == (1, starved)


def test_the_batch_has_those_that_end_in_it() -> None:
    stats = Stats(max_num_seqs=4)
    stats.step(step(said(running=3), ended=1), rows_left=True)
    stats.step(step(said(running=0), ended=3), rows_left=False)
    assert stats.telemetry().sequences == 7


def test_idle_is_the_time_in_which_the_core_had_nothing() -> None:
    stats = Stats(max_num_seqs=4)
    stats.begin()
    began = clock.seconds()
    stats.step(step(said(running=1), at=began + 7, queued_at=began + 5), rows_left=True)
    stats.step(step(said(running=0), ended=1, at=began + 10), rows_left=True)
    assert stats.telemetry().idle_seconds == pytest.approx(5, abs=0.1)
    # On our side requests were in flight all the time: the outcomes were not taken.
    stats.step(step(said(running=1), at=began + 14, queued_at=began + 13), rows_left=True)
    assert stats.telemetry().idle_seconds == pytest.approx(8, abs=0.1)


def test_recomputed_tokens_are_those_that_the_cache_had_lost() -> None:
    stats = Stats(max_num_seqs=4)
    stats.step(step(said(running=1)), rows_left=True)
    assert (stats.telemetry().preemptions, stats.telemetry().recomputed_tokens) == (2, 20)


def test_tokens_that_are_spared_add_up() -> None:
    stats = Stats(max_num_seqs=4)
    stats.spare(3)
    stats.spare(2)
    assert stats.telemetry().spared_tokens == 5
    assert stats.telemetry().output_tokens == 0
