"""A doctor that is killed leaves none of its processes."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from llmbatch.engines.vllm import options

WAITING = (
    "from llmbatch.doctor import child;"
    "list(child.lines('llmbatch.engines.vllm.lever_trial', 'no-model', '60', seconds=60))"
)


@pytest.mark.skipif(not options.is_installed(), reason="vLLM is not installed")
def test_a_killed_doctor_takes_its_trials_along() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING]) as doctor:
        known = psutil.Process(doctor.pid)
        until = time.monotonic() + 30
        while not (children := known.children()) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(1.0)  # until it has begun to import
        doctor.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=4)
    assert children
    assert not alive
