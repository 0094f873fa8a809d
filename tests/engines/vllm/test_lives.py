"""vLLM in the process of its user: it fails, is closed from another thread, and starts again."""

import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from tests.engines.vllm import session

pytestmark = session.needs_vllm

# A model and its cache take several hundred.
LEAK_MEGABYTES = 80


@pytest.fixture(scope="module")
def result() -> Any:
    """Four engines, one after the other, in a process with a temporary folder of its own."""
    with tempfile.TemporaryDirectory(prefix="llmbatch-test-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.engines.vllm.lives"],
            cwd=session.ROOT,
            env=os.environ | {"TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture
def lives(result: Any) -> Any:
    return result["lives"]


def test_each_engine_gives_the_same_answers(lives: Any) -> None:
    first = lives["whole"]["first"]["answered"]
    assert len(first) == 8
    assert all(life["first"]["answered"] == first for life in lives.values())


def test_a_failing_step_is_the_end_of_the_engine(lives: Any) -> None:
    last = lives["broken"]["last"]
    assert last["message"].startswith("engine died: ")
    assert "the worker met a request that is marked" in last["message"]
    assert 0 < len(last["answered"]) < 60


def test_closing_from_another_thread_ends_a_busy_run(lives: Any) -> None:
    last = lives["closed"]["last"]
    assert last["message"] == "engine died: it was closed"
    assert len(last["answered"]) < 1000
    assert last["seconds"] < 5


def test_the_next_engine_answers_all(lives: Any) -> None:
    assert lives["last"]["last"]["message"] == ""
    assert len(lives["last"]["last"]["answered"]) == 60


@pytest.mark.parametrize("life", ["broken", "closed", "last"])
def test_nothing_is_left(lives: Any, life: str) -> None:
    left = lives[life]["left_outside"]
    # vLLM's name for one of its files, which are gone.
    assert all(text.startswith("VLLM_DIST_IDENT=") for text in left.pop("environment"))
    assert left == {"files": [], "threads": [], "handlers": []}


def test_engines_do_not_add_up(lives: Any) -> None:
    assert lives["last"]["megabytes"] - lives["whole"]["megabytes"] < LEAK_MEGABYTES


REFUSALS = {
    "small cache": (
        "To serve at least one request",
        r"\[set max_model_len=\d+ or give more memory\]",
    ),
    "no memory": ("is less than requested memory", r"\[.*lower .*kv_cache_memory_bytes\]"),
    "no memory in a worker": ("is less than requested", r"\[.*lower .*kv_cache_memory_bytes\]"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_an_engine_that_cannot_start_says_why_and_what_to_do(result: Any, what: str) -> None:
    reason, advice = REFUSALS[what]
    message = result["refusals"][what]
    assert message.startswith("vLLM: ")
    assert reason in message
    assert re.search(advice + "$", message)
    assert "\n" not in message


def test_an_engine_that_did_not_start_leaves_nothing(result: Any) -> None:
    assert result["left"]  # the logs of the tests' own engines
    harmless = ("llmbatch-test-", "torchinductor_")
    assert [name for name in result["left"] if not name.startswith(harmless)] == []
