"""Output, signals and death of child processes, with small processes instead of vLLM."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from llmbatch.engines.vllm import processes as vllm_processes
from tests.engines.vllm.alive import is_alive

ROOT = Path(__file__).parents[3]
DEADLINE = 20.0

# A parent with a child that was set up, which tells its process number and then sleeps.
FAMILY = """
import multiprocessing, os, time
from llmbatch.engines.vllm.processes import ChildSetup

def child(setup, pipe):
    pipe.send(os.getpid())
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=child, args=(ChildSetup(os.environ["SCRATCH"]), theirs)).start()
    print(ours.recv(), flush=True)
    time.sleep(600)
"""


def _wait_until_gone(process: psutil.Process) -> bool:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and is_alive(process):
        time.sleep(0.05)
    return not is_alive(process)


def test_a_child_leaves_the_terminal_and_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCRATCH": str(scratch)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert os.getpgid(child.pid) == child.pid, "it would get the terminal's Ctrl-C"
        assert os.getsid(child.pid) == os.getsid(0), "sessions are scheduled as wholes"
        parent.send_signal(signal.SIGKILL)
    assert _wait_until_gone(child)
    assert not scratch.exists(), "temporary files would be left"


def test_copying_the_setup_does_nothing_here() -> None:
    group = os.getpgid(0)
    function, arguments = vllm_processes.ChildSetup("").__reduce__()
    function(*arguments)
    assert os.getpgid(0) == group


def test_output_goes_to_the_log_at_every_level(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.log"
    with path.open("a", buffering=1) as log, vllm_processes.output_to(log):
        print("from print")
        os.write(1, b"from C\n")
        os.write(2, b"from C, as an error\n")
        subprocess.run(["echo", "from a child"], check=True)
    print("after")
    text = path.read_text()
    assert all(line in text for line in ("from print", "from C", "as an error", "from a child"))
    assert capfd.readouterr().out == "after\n"


def test_without_a_log_output_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with vllm_processes.output_to(None):
        print("seen")
    assert capfd.readouterr().out == "seen\n"


def test_what_is_left_of_the_tree_is_ended() -> None:
    processes = vllm_processes.Processes()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    processes.remember()
    died: list[bool] = []
    processes.watch([child], lambda: died.append(True))
    processes.end()
    assert not child.is_alive()
    assert not died, "an end that we ask for is no death"


def test_a_death_is_noticed_at_once() -> None:
    processes = vllm_processes.Processes()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    died: list[float] = []
    processes.watch([child], lambda: died.append(time.monotonic()))
    child.kill()
    end = time.monotonic() + DEADLINE
    while not died and time.monotonic() < end:
        time.sleep(0.01)
    assert len(died) == 1
    processes.end()


def test_work_that_hangs_is_not_waited_for() -> None:
    assert not vllm_processes.run_bounded(lambda: time.sleep(30), 0.1)
    assert vllm_processes.run_bounded(lambda: 1 / 0, 10)
