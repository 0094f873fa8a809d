"""Kill replicas of this machine under a run: its output is that of an undisturbed one.

    python -m tests.engines.replicas.kills --kills 50

Exits with 1 where a byte differs or a process stays behind.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from llmbatch.core import clock
from llmbatch.core.errors import ExitCode
from tests.layout.sources import ROOT

SCRIPTED = "tests.scripted_engine:create"
_CHILD = "llmbatch.engines.replicas.child"


def write_rows(folder: Path, rows: int, *more: str) -> None:
    """The input of a run: so many rows, then one for each further text."""
    texts = [*(f"row {number}" for number in range(rows)), *more]
    lines = (json.dumps({"id": number, "text": text}) for number, text in enumerate(texts))
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")


class LocalRun:
    """A run over the rows of a folder; with `--replicas`, if a flag says so."""

    def __init__(self, folder: Path, output: str, *flags: str) -> None:
        self.output = folder / output
        words = ["-m", "scripted", "-p", "{{ text }}", "-o", str(self.output)]
        words += ["--engine", SCRIPTED, *flags]
        self._errors = folder / f"{output}.stderr"
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "llmbatch", "run", str(folder / "in.jsonl"), *words],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def ended(self, seconds: float) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def said(self) -> str:
        return self._errors.read_text()

    def replicas(self) -> list[psutil.Process]:
        """The processes of its replicas."""
        try:
            below = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []
        return [one for one in below if is_replica(one)]

    def until_all_started(self, replicas: int, seconds: float = 60) -> None:
        until = clock.seconds() + seconds
        while len([line for line in self.said().splitlines() if " started in " in line]) < replicas:
            assert self.process.poll() is None, self.said()
            assert clock.seconds() < until, self.said()
            time.sleep(0.05)


def is_replica(process: psutil.Process) -> bool:
    """True if it is the process of a replica."""
    try:
        return _CHILD in process.cmdline()
    except psutil.Error:
        return False


def kill_some(
    run: "subprocess.Popen[bytes]",
    living: Callable[[], Sequence[psutil.Process]],
    kills: int,
    pause: float,
) -> int:
    """SIGKILL to one of the `living` replicas after the other, as long as the run goes on; returns
    how many there were. `pause` in seconds."""
    chosen = random.Random(0)
    done = 0
    while done < kills and run.poll() is None:
        if alive := living():
            try:
                chosen.choice(alive).kill()
                done += 1
            except psutil.Error:
                pass
        time.sleep(pause)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=16000)
    parser.add_argument("--pause", type=float, default=1.5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder, given.rows)
        alone = LocalRun(folder, "alone.jsonl")
        alone.ended(600)
        began = clock.seconds()
        run = LocalRun(folder, "out.jsonl", "--replicas", "2", "--engine-arg", "delay=0.005")
        run.until_all_started(2)
        seen = {one.pid: one for one in run.replicas()}
        done = kill_some(run.process, run.replicas, given.kills, given.pause)
        seen |= {one.pid: one for one in run.replicas()}
        code = run.ended(900)
        left = [one for one in psutil.process_iter() if is_replica(one) and one.ppid() == 1]
        left += [one for one in seen.values() if one.is_running() and is_replica(one)]
        same = run.output.exists() and run.output.read_bytes() == alone.output.read_bytes()
        print(
            f"{given.rows} rows, {done} kills, {clock.seconds() - began:.0f} s: exit code {code}, "
            f"output {'identical' if same else 'DIFFERS'}, processes left: {len(left)}"
        )
        if not same or code != ExitCode.OK or left or done < given.kills:
            print(run.said()[-4000:])
            sys.exit(1)


if __name__ == "__main__":
    main()
