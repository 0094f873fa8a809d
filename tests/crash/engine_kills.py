"""Part of `make test-crash`: the engine's processes are killed again and again during one run.

A run of real vLLM in its default mode, with the engine core and its worker in processes of their
own. One of the two gets SIGKILL at a random moment of generation, KILLS times; the run must end
with exit code 0, every row answered, and the output of an undisturbed run.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.crash import jobs  # noqa: E402
from tests.crash.jobs import CrashJob  # noqa: E402

# A kill comes so many seconds after the engine has begun to answer.
DELAYS = (0.5, 2.5)
PATIENCE = 300.0


class Run:
    """A run in the background and its event log."""

    def __init__(self, job: CrashJob, output: Path) -> None:
        output.parent.mkdir()
        self.log = output.with_name("events.jsonl")
        command = [sys.executable, "-m", "llmbatch", *job.arguments(output)]
        self.process = subprocess.Popen(
            [*command, "-q", "--log-json", str(self.log)], cwd=job.folder, env=environment()
        )

    def events(self, name: str) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_bytes().splitlines()]
        return [line for line in lines if line["event"] == name]

    def until_started(self, times: int) -> bool:
        """Wait for the engine's start number `times` (from 1); False if the run ended first."""
        deadline = time.monotonic() + PATIENCE
        while len(self.events("engine_started") + self.events("engine_restarted")) < times:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "the engine does not start"
            time.sleep(0.1)
        return True

    def engine_processes(self) -> list[psutil.Process]:
        """The engine core and, below it, the worker."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def environment() -> dict[str, str]:
    """vLLM in its default mode, regardless of the mode of this process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VLLM_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def torment(job: CrashJob, output: Path, kills: int, rng: random.Random) -> tuple[Run, int]:
    """Kill the engine of one run `kills` times; returns the run, ended, and the kills that hit."""
    run, hits = Run(job, output), 0
    while hits < kills and run.until_started(hits + 1):
        time.sleep(rng.uniform(*DELAYS))
        found = run.engine_processes()
        if not found:
            break
        victim = rng.choice(found)
        print(f"kill {hits + 1}: {victim.name()} ({len(found)} processes)", flush=True)
        victim.kill()
        hits += 1
    run.process.wait()
    return run, hits


def seconds_to_notice(run: Run) -> list[float]:
    """Seconds from each death to the engine that is ready again."""
    died = [event["at"] for event in run.events("engine_died")]
    back = [event["at"] for event in run.events("engine_restarted")]
    return [span(begin, end) for begin, end in zip(died, back, strict=True)]


def span(begin: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llmbatch-engine-kills-"))
    job = jobs.vllm(folder, given.rows)
    began = time.monotonic()
    run, hits = torment(job, folder / "killed/out.jsonl", given.kills, random.Random(given.seed))
    seconds = time.monotonic() - began
    undisturbed = Run(job, folder / "reference/out.jsonl")
    undisturbed.process.wait()
    outputs = [folder / name / "out.jsonl" for name in ("killed", "reference")]
    same = outputs[0].exists() and outputs[0].read_bytes() == outputs[1].read_bytes()
    finished = (run.events("finished") or run.events("failed") or [{}])[-1]
    lost = [event["in_flight"] for event in run.events("engine_died")]
    restarts = seconds_to_notice(run)
    print(f"kills {hits}, restarts {len(restarts)}, exit code {run.process.returncode}")
    print(f"end of the run: {finished.get('reason')}; {seconds:.0f} s")
    print(f"in flight at a death: median {statistics.median(lost):g}, max {max(lost)}")
    print(
        f"from a death to the next answer-ready engine: median {statistics.median(restarts):.1f} s"
    )
    print(f"output {'identical to' if same else 'DIFFERS from'} an undisturbed run's")
    shutil.rmtree(folder)
    good = hits == given.kills and same and run.process.returncode == 0
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
