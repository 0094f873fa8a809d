"""A doctor that is killed, or waits no longer, leaves none of its processes and files."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from llmbatch.doctor import child
from llmbatch.engines.vllm import options
from tests.cli.command import ROOT

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


TRIAL = ("tests.doctor.waiting_trial", "no-model", "60")
WATCHED = f"from llmbatch.doctor import child; list(child.lines(*{TRIAL}, 'LoRA', seconds=60))"


def _trials(folder: Path) -> list[Path]:
    return list(folder.glob("llmbatch-trial-*"))


def _until(folder: Path, *, there: bool) -> None:
    until = time.monotonic() + 30
    while bool(_trials(folder)) != there:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_doctor_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", WATCHED], cwd=ROOT) as doctor:
        _until(tmp_path, there=True)
        doctor.kill()
        _until(tmp_path, there=False)


def test_trials_that_nobody_waits_for_leave_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(ROOT)
    trials = child.lines(*TRIAL, "LoRA", seconds=60)
    next(trials)
    assert _trials(tmp_path)
    trials.close()
    assert not _trials(tmp_path)
