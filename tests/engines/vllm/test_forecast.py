"""The play of the prefix cache against vLLM's own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.engines.vllm import session

pytestmark = session.needs_vllm


@pytest.fixture(scope="module")
def result() -> Any:
    """One engine with a cache for a fraction of what the prompts share."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.vllm.cache"],
        cwd=session.ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("order", ["as input", "sorted"])
def test_hits_are_as_predicted(result: Any, order: str) -> None:
    seen = result[order]
    assert seen["cached"] > 0
    assert abs(seen["cached"] - seen["predicted"]) <= 0.01 * seen["predicted"]


def test_the_cache_is_small_enough_to_tell_the_orders_apart(result: Any) -> None:
    assert result["blocks"] == 90
    assert result["as input"]["cached"] < 0.7 * result["sorted"]["cached"]
