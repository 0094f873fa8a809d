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

from llmbatch.engines import vllm_process

ROOT = Path(__file__).parents[2]
DEADLINE = 20.0

# A parent with a child that was set up, which tells its process number and then sleeps.
FAMILY = """
import multiprocessing, os, time
from llmbatch.engines.vllm_process import ChildSetup

def child(setup, pipe):
    pipe.send(os.getpid())
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=child, args=(ChildSetup(), theirs)).start()
    print(ours.recv(), flush=True)
    time.sleep(600)
"""


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_until_gone(process: psutil.Process) -> bool:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and not _gone(process):
        time.sleep(0.05)
    return _gone(process)


def test_a_child_leaves_the_terminal_and_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert os.getpgid(child.pid) == child.pid, "it would get the terminal's Ctrl-C"
        assert os.getsid(child.pid) == os.getsid(0), "sessions are scheduled as wholes"
        parent.send_signal(signal.SIGKILL)
    assert _wait_until_gone(child)


def test_copying_the_setup_does_nothing_here() -> None:
    group = os.getpgid(0)
    function, arguments = vllm_process.ChildSetup().__reduce__()
    function(*arguments)
    assert os.getpgid(0) == group


def test_output_goes_to_the_log_at_every_level(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.log"
    with path.open("a", buffering=1) as log, vllm_process.output_to(log):
        print("from print")
        os.write(1, b"from C\n")
        os.write(2, b"from C, as an error\n")
        subprocess.run(["echo", "from a child"], check=True)
    print("after")
    text = path.read_text()
    assert all(line in text for line in ("from print", "from C", "as an error", "from a child"))
    assert capfd.readouterr().out == "after\n"


def test_without_a_log_output_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with vllm_process.output_to(None):
        print("seen")
    assert capfd.readouterr().out == "seen\n"


def test_what_is_left_of_the_tree_is_ended() -> None:
    processes = vllm_process.Processes()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    processes.remember()
    died: list[bool] = []
    processes.watch([child.sentinel], lambda: died.append(True))
    processes.end()
    assert not child.is_alive()
    assert not died, "an end that we ask for is no death"


def test_a_death_is_noticed_at_once() -> None:
    processes = vllm_process.Processes()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    died: list[float] = []
    processes.watch([child.sentinel], lambda: died.append(time.monotonic()))
    child.kill()
    end = time.monotonic() + DEADLINE
    while not died and time.monotonic() < end:
        time.sleep(0.01)
    assert len(died) == 1
    processes.end()


def test_work_that_hangs_is_not_waited_for() -> None:
    assert not vllm_process.run_bounded(lambda: time.sleep(30), 0.1)
    assert vllm_process.run_bounded(lambda: 1 / 0, 10)


LOG = """\
(EngineCore pid=1) ERROR 11-21 12:00:00 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=1) ERROR 11-21 12:00:00 [core.py:1510] ValueError: To serve at least one request \
with the models's max seq len (1024), 0.50 GiB KV cache is needed, which is larger than the \
available KV cache memory (0.06 GiB). Based on the available memory, the estimated maximum model \
length is 128. Try increasing memory.
Process EngineCore:
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def test_the_reason_is_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("ValueError: of an earlier run\n")
    since = log.stat().st_size
    with log.open("a") as file:
        file.write(LOG)
    vague = RuntimeError("Engine core initialization failed. See root cause above.")
    reason = vllm_process.reason_of(vague, str(log), since)
    assert reason.startswith("ValueError: To serve at least one request")
    assert "\n" not in reason
    assert "set max_model_len=128" in vllm_process.with_advice(reason)


def test_a_clear_error_is_its_own_reason(tmp_path: Path) -> None:
    assert vllm_process.reason_of(ValueError("no\nsuch thing"), None, 0) == "no such thing"
    pydantic = (
        "1 validation error for ModelConfig Value error, no x. [type=value_error, input_value=1]"
    )
    assert vllm_process.reason_of(ValueError(pydantic), None, 0) == "no x."
    missing = str(tmp_path / "no.log")
    assert "root cause" in vllm_process.reason_of(RuntimeError("See root cause above"), missing, 0)
