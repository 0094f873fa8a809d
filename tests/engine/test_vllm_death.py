"""vLLM in processes of its own, as users run it: started once, and killed."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.engine import session

pytestmark = session.needs_vllm


@pytest.fixture(scope="module")
def finished() -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("VLLM_ENABLE_V1")
    }
    command = [sys.executable, "-m", "tests.engine.death"]
    return subprocess.run(
        command,
        cwd=session.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def result(finished: subprocess.CompletedProcess[str]) -> Any:
    assert finished.returncode == 0, finished.stderr[-2000:]
    return json.loads(finished.stdout)


def test_nothing_is_printed(finished: subprocess.CompletedProcess[str]) -> None:
    assert finished.stdout.count("\n") == 1
    assert finished.stderr == ""


def test_every_process_has_left_our_group(result: Any) -> None:
    """No Ctrl-C reaches them; the same setup ends them with us (see test_vllm_process)."""
    assert result["tree"] >= 2
    assert result["in_our_group"] == 0


def test_a_run_after_a_closed_one_sees_only_its_own(result: Any) -> None:
    assert result["only_its_own"]
    assert result["steps"] > 0


def test_a_killed_engine_core_is_an_engine_error_at_once(result: Any) -> None:
    death = result["death"]
    assert death["message"].startswith("engine died")
    assert death["seconds"] < 5
    assert 1 <= death["answered"] < 500


def test_a_dead_engine_runs_nothing(result: Any) -> None:
    assert result["again"].startswith("engine died")


def test_no_process_is_left(result: Any) -> None:
    assert result["left"] == []
