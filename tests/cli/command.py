"""The real command line, started as its users start it: a process in the job's own folder."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.tracer import Tracer

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("llmbatch")
ENGINE = "tests.scripted_engine:create"
TIMEOUT = 120.0


@dataclass(frozen=True)
class Finished:
    """The output and exit code of a process."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong; it is the last one."""
        mark = "llmbatch: error: "
        lines = self.stderr.splitlines()
        assert [line for line in lines if line.startswith(mark)] == lines[-1:], self.stderr
        return lines[-1].removeprefix(mark)


def environment() -> dict[str, str]:
    """That of a user who has the scripted engine installed."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "HF_HUB_OFFLINE": "1"}


def llmbatch(folder: Path, *arguments: str, stdin: bytes = b"") -> Finished:
    """Run one command in `folder`. Whatever it was, it may not show a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "llmbatch", *arguments],
        cwd=folder,
        env=environment(),
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    finished = Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished


class Running:
    """A run in the background; leaving the block kills it, should it still be there."""

    def __init__(self, job: "Job", arguments: list[str]) -> None:
        self._job = job
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmbatch", *arguments],
            cwd=job.folder,
            env=environment(),
            stdin=subprocess.PIPE,  # stays open and silent
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    def until_answered(self, rows: int) -> None:
        """Wait until the live view has this many rows done."""
        wait_for(lambda: self._job.status().get("progress", {}).get("rows_done", 0) >= rows)

    def until_listening(self) -> None:
        """Wait until it handles signals itself. Python would handle an interrupt, but no SIGHUP."""
        status = Path(f"/proc/{self.process.pid}/status")
        caught = re.compile(r"^SigCgt:\s*(\w+)$", re.M)
        wait_for(lambda: bool(int(caught.findall(status.read_text())[0], 16) & 1))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> Finished:
        stdout, stderr = self.process.communicate(timeout=TIMEOUT)
        assert b"Traceback" not in stderr, stderr.decode()
        return Finished(self.process.returncode, stdout.decode(), stderr.decode())


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is true; fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Job:
    """A job in a folder of its own: `in.csv` to `out.jsonl` with the scripted engine.

    The engine keeps a ledger of the requests that it computes, which the tests count.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = "in.csv"
        self.output = folder / "out.jsonl"
        self.state = folder / "out.llmbatch"
        self._ledger = folder / "ledger"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def arguments(self, *more: str, engine: str = "") -> list[str]:
        """The command line of a run. Of a flag that comes twice the last one counts.

        `engine`: options of the scripted engine, such as "delay=0.1 window=4".
        """
        usual = [self.input, "-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}"]
        options = [*engine.split(), f"ledger={self._ledger}"]
        pairs = [part for option in options for part in ("--engine-arg", option)]
        return ["run", *usual, "--engine", ENGINE, *pairs, *more]

    def run(self, *more: str, engine: str = "", stdin: bytes = b"") -> Finished:
        return llmbatch(self.folder, *self.arguments(*more, engine=engine), stdin=stdin)

    def start(self, *more: str, engine: str = "") -> Running:
        return Running(self, self.arguments(*more, engine=engine))

    def command(self, *arguments: str) -> Finished:
        """Any other command, in the job's folder."""
        return llmbatch(self.folder, *arguments)

    def computed(self) -> int:
        """The number of requests that the engine has computed since the last call."""
        if not self._ledger.exists():
            return 0
        found = len(self._ledger.read_text().splitlines())
        self._ledger.unlink()
        return found

    def status(self) -> dict[str, Any]:
        path = self.state / "status.json"
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return found

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "report.json").read_bytes())
        return found

    def records(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        """The records of a JSON Lines file in the folder."""
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]

    def errors(self) -> list[dict[str, Any]]:
        return self.records("out.errors.jsonl")

    def names(self) -> set[str]:
        """The names in the folder, without the ledger."""
        return {path.name for path in self.folder.iterdir()} - {self._ledger.name}


class QuickJob(Job):
    """A job whose commands are forked from a process that has imported everything already. What
    reads from its standard input, or runs in the background, is started as its users start it."""

    def __init__(self, folder: Path, forks: Tracer) -> None:
        super().__init__(folder)
        self._forks = forks

    def run(self, *more: str, engine: str = "", stdin: bytes = b"") -> Finished:
        if stdin:
            return super().run(*more, engine=engine, stdin=stdin)
        return self.command(*self.arguments(*more, engine=engine))

    def command(self, *arguments: str) -> Finished:
        trace = self._forks.run(arguments, self.folder, traced=False)
        assert "Traceback" not in trace.stderr, trace.stderr
        return Finished(trace.code, trace.stdout, trace.stderr)
