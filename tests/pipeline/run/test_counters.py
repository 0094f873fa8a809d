"""The share of a run's work that is done, by the weight of prompts and answers."""

import pytest

from llmbatch.core.step_cost import Weights
from llmbatch.pipeline.run.counters import RunCounters

ALIKE = Weights(1.0, 1.0, measured=False)


def counters(**changes: int) -> RunCounters:
    """Half of the rows are done, with a tenth of what is to be read."""
    held = {"rows": 100, "rows_reused": 0, "rows_done": 50, "size": 1000, "size_done": 100}
    return RunCounters(**(held | {"prompt_tokens": 40, "output_tokens": 40} | changes))


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        (Weights(1.0, 0.0, measured=True), 0.1),
        (Weights(0.0, 1.0, measured=True), 0.5),
        # 40 of 400 and 40 of 80.
        (ALIKE, 80 / 480),
    ],
)
def test_prompts_count_by_their_length_and_answers_by_rows(weights: Weights, share: float) -> None:
    assert counters().share(weights) == pytest.approx(share)


def test_what_the_prefix_cache_served_took_no_time() -> None:
    assert counters(cached_tokens=40).share(ALIKE) == pytest.approx(0.5)


def test_all_is_done_in_the_end() -> None:
    assert counters(rows_done=100, size_done=1000).share(ALIKE) == 1


def test_rows_count_where_nothing_else_is_known() -> None:
    assert counters(size=0, size_done=0).share(ALIKE) == pytest.approx(0.5)
    assert counters(prompt_tokens=0, output_tokens=0).share(ALIKE) == pytest.approx(0.5)
    assert counters(rows_done=0, size_done=0).share(ALIKE) == 0
