"""Kill parts of a Ray cluster under a run, and compare its output with that of an undisturbed one.

    python -m tests.engines.ray.kills --actors 50 --raylets 2 --head

The undisturbed run needs no cluster. Exits with 1 where a byte differs or something stays behind.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from llmbatch.core import clock
from llmbatch.core.errors import ExitCode
from tests.engines.ray.two_nodes import TwoNodes
from tests.engines.replicas.kills import SCRIPTED, kill_some, write_rows
from tests.layout.sources import ROOT

PROMPT = "{{ text }}"


def command(folder: Path, output: str, *flags: str) -> list[str]:
    """A run over the folder's rows."""
    words = ["-m", "scripted", "-p", PROMPT, "-o", output, *flags]
    return [sys.executable, "-m", "llmbatch", "run", str(folder / "in.jsonl"), *words]


def undisturbed(folder: Path, output: Path | None = None) -> bytes:
    """The output of one engine in the run's own process, which goes on with an earlier run."""
    output = output or folder / "alone.jsonl"
    words = command(folder, str(output), "--engine", SCRIPTED)
    subprocess.run(words, env=environment(), check=True, capture_output=True)
    return output.read_bytes()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


class RayRun:
    """A run whose replicas are actors: on the cluster at an address, or on one of its own."""

    def __init__(
        self, folder: Path, address: str | None, *flags: str, delay: float, output: str = ""
    ) -> None:
        self.folder = folder
        self.output = folder / "over_ray.jsonl"
        over = ["--engine", f"ray:{SCRIPTED}", "--replicas", "2", "--engine-arg", f"delay={delay}"]
        over += ["--ray-address", address] if address else []
        self.words = command(folder, output or str(self.output), *over, *flags)
        self.errors = (folder / "stderr.txt").open("ab")
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=self.errors, env=environment()
        )

    def ended(self, seconds: float) -> tuple[int, bytes]:
        """Its exit code and standard output."""
        printed, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed

    def own_processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        return (self.folder / "stderr.txt").read_text()

    def until_generating(self, seconds: float = 90) -> None:
        """Wait until the first replica is ready."""
        until = clock.seconds() + seconds
        while "generating" not in self.said():
            assert self.process.poll() is None, self.said()
            assert clock.seconds() < until, self.said()
            time.sleep(0.05)


def actors(parents: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The processes of replicas that were started below these."""
    found = []
    for parent in parents:
        for process in parent.children(recursive=True):
            try:
                if process.name().startswith("ray::Replica"):
                    found.append(process)
            except psutil.Error:
                continue
    return found


def kill_actors(run: RayRun, parents: Sequence[psutil.Process], kills: int, pause: float) -> int:
    """SIGKILL to one actor after the other, as long as the run goes on; how many there were."""
    return kill_some(run.process, lambda: actors(parents), kills, pause)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=50)
    parser.add_argument("--raylets", type=int, default=2)
    parser.add_argument("--rows", type=int, default=16000)
    parser.add_argument("--pause", type=float, default=1.5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, TwoNodes() as nodes:
        folder = Path(name)
        write_rows(folder, given.rows)
        expected = undisturbed(folder)
        began = clock.seconds()
        run = RayRun(folder, nodes.address, delay=0.005)
        run.until_generating()
        done = kill_actors(run, nodes.raylets(), given.actors, given.pause)
        killed = 0
        for _ in range(given.raylets):
            if run.process.poll() is None:
                nodes.kill_second()
                killed += 1
                time.sleep(20)
                nodes.mend()
        code, _ = run.ended(900)
        same = run.output.exists() and run.output.read_bytes() == expected
        seconds = clock.seconds() - began
        print(
            f"{given.rows} rows, {done} actors and {killed} raylets killed, {seconds:.0f} s: "
            f"exit code {code}, output {'identical' if same else 'DIFFERS'}, "
            f"actors left: {len(actors(nodes.raylets()))}"
        )
        if not same or code != ExitCode.OK or actors(nodes.raylets()):
            print(run.said()[-4000:])
            sys.exit(1)


if __name__ == "__main__":
    main()
