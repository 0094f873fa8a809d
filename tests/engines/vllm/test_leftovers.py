"""`llmbatch run` with vLLM in its own processes: nothing remains after any kind of end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmbatch.engines.vllm.leftovers import segments_of
from tests.engines.vllm import session
from tests.engines.vllm.alive import is_alive

pytestmark = session.needs_vllm

TICKETS = session.ROOT / "samples" / "tickets"
DEADLINE = 240.0
GONE_SECONDS = 20.0


@dataclass
class Run:
    """A run that generates, and what is to be gone after it."""

    process: subprocess.Popen[bytes]
    temporary: Path
    tree: list[psutil.Process]
    segments: set[str]

    def note_processes(self) -> None:
        """Add the processes of the present engine, and what they share."""
        tree = psutil.Process(self.process.pid).children(recursive=True)
        assert len(tree) >= 3, "engine core, worker, and Python's resource tracker"
        segments = segments_of(child.pid for child in tree)
        assert len(segments) >= 2, "queues to the worker and from it"
        assert any(self.temporary.glob("llmbatch-engine-*/*"))
        self.tree += tree
        self.segments |= segments

    def core(self) -> psutil.Process:
        return next(child for child in self.tree if "EngineCore" in child.name())

    def left(self) -> list[str]:
        """Processes, shared memory, semaphores and temporary files, waiting a while for none."""
        end = time.monotonic() + GONE_SECONDS
        while (found := self._left()) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _left(self) -> list[str]:
        alive = [str(child) for child in self.tree if is_alive(child)]
        memory = [name for name in self.segments if (Path("/dev/shm") / name).exists()]
        files = [path.name for path in self.temporary.iterdir()]
        return alive + memory + [name for name in files if not name.startswith("torchinductor_")]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder for a run; its path is short, like that of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="llmbatch-test-") as folder:
        yield Path(folder)


def generating(folder: Path, temporary: Path, max_num_seqs: int) -> Run:
    """Start a run and wait until it generates."""
    output = folder / "out.jsonl"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("VLLM_ENABLE_V1")
    }
    command = [sys.executable, "-m", "llmbatch", "run", "job.toml", "-o", str(output)]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--engine-arg", f"max_num_seqs={max_num_seqs}"],
            cwd=TICKETS,
            env=environment | {"TMPDIR": str(temporary), "PYTHONPATH": str(session.ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    run = Run(process, temporary, [], set())
    wait_for(run, folder, lambda status: status["phase"] == "generating")
    run.note_processes()
    return run


def wait_for(run: Run, folder: Path, condition: Callable[[Any], bool]) -> None:
    """Wait until the live view shows something."""
    path, end = folder / "out.llmbatch" / "status.json", time.monotonic() + DEADLINE
    while not (path.exists() and condition(json.loads(path.read_bytes()))):
        assert run.process.poll() is None, (folder / "stderr").read_text()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_killed_run_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    run = generating(tmp_path, temporary, max_num_seqs=2)
    run.process.kill()
    run.process.wait()
    assert run.left() == []


def test_a_run_goes_on_after_the_death_of_its_engine_and_once_drained_leaves_nothing(
    tmp_path: Path, temporary: Path
) -> None:
    run = generating(tmp_path, temporary, max_num_seqs=2)
    run.core().kill()
    wait_for(
        run,
        tmp_path,
        lambda status: status["engine_restarts"] == 1 and status["phase"] == "generating",
    )
    run.note_processes()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(DEADLINE) == 130, (tmp_path / "stderr").read_text()
    assert run.left() == []
