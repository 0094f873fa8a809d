"""The play of the prefix cache against vLLM's own."""

from typing import Any

import pytest

from tests.engines.vllm import session
from tests.engines.vllm.apart import told_by

pytestmark = session.needs_vllm


@pytest.fixture(scope="module")
def result() -> Any:
    """One engine with a cache for a fraction of what the prompts share."""
    return told_by("tests.engines.vllm.cache")


@pytest.mark.parametrize("order", ["as input", "sorted"])
def test_hits_are_as_predicted(result: Any, order: str) -> None:
    seen = result[order]
    assert seen["cached"] > 0
    assert abs(seen["cached"] - seen["predicted"]) <= 0.01 * seen["predicted"]


def test_the_cache_is_small_enough_to_tell_the_orders_apart(result: Any) -> None:
    assert result["blocks"] == 90
    assert result["as input"]["cached"] < 0.7 * result["sorted"]["cached"]
