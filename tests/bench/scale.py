"""`make bench-scale`: millions of rows through the scripted engine, killed half-way and resumed.

Measures what is ours and not the engine's: the time of each phase, the memory of the process and
whether it stays flat while rows go through, the size of the store, and how long a resume takes
until the engine works again.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.2
MIB = 1 << 20
WORDS = ("printer", "invoice", "login", "refund", "delivery", "password", "update", "screen")


@dataclass
class Phase:
    """One phase of a run as it was seen from outside."""

    name: str
    began: float
    seconds: float = 0.0
    # Of the process and of its children that have ended: what a busy machine does not change.
    processor_before: float = 0.0
    processor_after: float = 0.0
    peak: int = 0
    # Share of the job's rows done (0 to 1) and resident bytes, sampled.
    memory: list[tuple[float, int]] = field(default_factory=list)


def write_input(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        stream.write("id,text\n")
        for number in range(rows):
            word, other = WORDS[number % 8], WORDS[number // 8 % 8]
            stream.write(f"{number:08d},ticket {number} about {word} and {other}\n")


def arguments() -> list[str]:
    """The arguments of llmbatch: in.csv to out.jsonl in its working folder."""
    given = ["run", "in.csv", "-o", "out.jsonl", "-m", "m"]
    given += ["-p", "Classify this support ticket: {{ text }}", "--max-tokens", "16", "-q"]
    return [*given, "--engine", "tests.scripted_engine:create", "--engine-arg", "window=256"]


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "llmbatch", *arguments()]
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)})


def watched(process: subprocess.Popen[bytes], folder: Path, stop_at: float) -> list[Phase]:
    """Follow a run to its end, or to its death by SIGKILL when `stop_at` of its rows are done."""
    phases = [Phase("starting Python", time.monotonic())]
    seen = psutil.Process(process.pid)
    while process.poll() is None:
        status = read_status(folder, process.pid)
        if status and status["phase"] not in (phases[-1].name, "ended"):
            former = phases[-1].processor_after
            phases.append(Phase(status["phase"], time.monotonic(), 0.0, former, former))
        note(phases[-1], seen, status)
        if done_share(status) >= stop_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    process.wait()
    return phases


def note(phase: Phase, seen: psutil.Process, status: dict[str, Any] | None) -> None:
    phase.seconds = time.monotonic() - phase.began
    try:
        resident = seen.memory_info().rss
        phase.processor_after = sum(seen.cpu_times()[:4])
    except psutil.Error:
        return
    phase.peak = max(phase.peak, resident)
    phase.memory.append((done_share(status), resident))


def done_share(status: dict[str, Any] | None) -> float:
    progress = (status or {}).get("progress")
    return progress["rows_done"] / progress["rows"] if progress else 0.0


def read_status(folder: Path, pid: int) -> dict[str, Any] | None:
    try:
        status: dict[str, Any] = json.loads((folder / "out.llmbatch/status.json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return status if status["pid"] == pid else None


def lines_of(title: str, phases: list[Phase]) -> Iterator[str]:
    yield title
    for phase in phases:
        processor = phase.processor_after - phase.processor_before
        yield (
            f"  {phase.name:<22} {phase.seconds:9.1f} s   processor {processor:8.1f} s   "
            f"peak {phase.peak / MIB:7,.0f} MiB"
        )
        if phase.name == "generating":
            samples = "  ".join(
                f"{share:.0%}: {at(phase, share) / MIB:,.0f}" for share in (0.1, 0.3, 0.5, 0.7, 0.9)
            )
            yield f"    MiB by share of rows done: {samples}"


def at(phase: Phase, share: float) -> int:
    """Resident bytes when that share of the rows was done, or nearest to it."""
    return min(phase.memory, key=lambda sample: abs(sample[0] - share))[1]


def sizes(folder: Path) -> str:
    names = ("job.duckdb", "job.duckdb.wal", "journal")
    found = [(name, folder / "out.llmbatch" / name) for name in names]
    parts = [
        f"{name} {path.stat().st_size / MIB:,.0f} MiB" for name, path in found if path.exists()
    ]
    return ", ".join([*parts, f"output {(folder / 'out.jsonl').stat().st_size / MIB:,.0f} MiB"])


def check(folder: Path, rows: int) -> list[str]:
    """The faults in the end."""
    with (folder / "out.jsonl").open("rb") as output:
        count = sum(1 for _ in output)
    problems = [] if count == rows else [f"{count:,} records for {rows:,} rows"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "llmbatch", "check", "out.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"llmbatch check: exit {done.returncode}, {time.monotonic() - began:.1f} s")
    return problems + ([done.stdout] if done.returncode else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="llmbatch-scale-"))
    folder.mkdir(exist_ok=True)
    write_input(folder / "in.csv", given.rows)
    for title, stop_at in (("killed at 50 %", 0.5), ("resumed", 2.0)):
        began = time.monotonic()
        phases = watched(start(folder), folder, stop_at)
        print("\n".join(lines_of(title, phases)), flush=True)
        print(f"  total {time.monotonic() - began:.1f} s", flush=True)
    print(sizes(folder))
    problems = check(folder, given.rows)
    print(
        "\n".join(f"PROBLEM: {problem}" for problem in problems) or "all rows answered, store sound"
    )
    if not given.folder:
        shutil.rmtree(folder)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
