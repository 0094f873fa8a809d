"""vLLM in processes of its own, as users run it: killed, stopped, and started again."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.engines.vllm import session

pytestmark = session.needs_vllm

DISASTERS = [
    "kill_the_core",
    "wait_for_the_marked_row",
    "stop_the_core_and_close",
]
# More than a life of an engine may keep, less than one that leaks keeps.
LEAK_MEGABYTES = 50


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Four engines, one after the other, in a process with a temporary folder of its own."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("VLLM_ENABLE_V1")
    }
    folder = tmp_path_factory.mktemp("t", numbered=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.engines.vllm.death"],
        cwd=session.ROOT,
        env=environment | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
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
    """No Ctrl-C reaches them; the same setup ends them with us (see test_processes)."""
    assert result["normal"]["tree"] >= 2
    assert result["normal"]["in_our_group"] == 0


def test_a_run_after_a_closed_one_sees_only_its_own(result: Any) -> None:
    assert result["normal"]["only_its_own"]
    assert result["normal"]["steps"] > 0


def test_waiting_for_us_is_idle_time_and_holds_up_nothing(result: Any) -> None:
    waited = result["normal"]["waited"]
    assert 1 < waited["feed"] < 2
    assert 0.8 < waited["taker"] < 2
    assert waited["early"] >= 2


def test_what_is_out_of_range_is_not_sent(result: Any) -> None:
    assert result["normal"]["refused"] == [*["refused_request"] * 3, "too_long"]
    assert result["normal"]["sent"] == []


@pytest.mark.parametrize("disaster", DISASTERS)
def test_a_disaster_is_an_engine_error_at_once(result: Any, disaster: str) -> None:
    death = result[disaster]
    assert death["message"].startswith("engine died: ")
    assert death["seconds"] < 5
    assert 1 <= death["answered"] < 500


def test_the_error_says_what_has_ended_and_how(result: Any) -> None:
    assert "EngineCore" in result["kill_the_core"]["message"]
    assert "was ended by SIGKILL" in result["kill_the_core"]["message"]
    # vLLM notes the signal, but not always in time.
    assert "its process VllmWorker-0 " in result["wait_for_the_marked_row"]["message"]
    assert "it was closed" in result["stop_the_core_and_close"]["message"]


@pytest.mark.parametrize("disaster", DISASTERS)
def test_a_dead_engine_runs_nothing(result: Any, disaster: str) -> None:
    assert result[disaster]["again"].startswith("engine died: ")


@pytest.mark.parametrize("disaster", DISASTERS)
def test_closing_a_dead_or_hung_engine_does_not_wait_for_it(result: Any, disaster: str) -> None:
    assert result[disaster]["close_seconds"] < 10


@pytest.mark.parametrize("disaster", DISASTERS)
def test_an_engine_starts_and_answers_after_the_death_of_another(
    result: Any, disaster: str
) -> None:
    assert result[disaster]["answers_before"]


@pytest.mark.parametrize("life", ["normal", *DISASTERS])
def test_no_process_is_left(result: Any, life: str) -> None:
    assert result[life]["left"] == []


@pytest.mark.parametrize("life", ["normal", *DISASTERS])
def test_nothing_is_left_outside(result: Any, life: str) -> None:
    left = result[life]["left_outside"]
    assert result[life]["segments"] >= 2
    assert result[life]["left_memory"] == []
    assert [name for name in left["files"] if not name.startswith("torchinductor_")] == []
    assert left["threads"] == []
    assert left["handlers"] == []
    if life != "normal":  # importing vLLM sets some variables for good
        assert left["environment"] == []


def test_engines_do_not_add_up(result: Any) -> None:
    first, last = result["normal"], result[DISASTERS[-1]]
    assert last["megabytes"] - first["megabytes"] < LEAK_MEGABYTES
    assert last["descriptors"] <= first["descriptors"] + 2
