"""The cost of a row: `llmbatch run` with the scripted engine, on one processor core.

The engine's own work is in the figures; it takes no time to start and answers at once.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench import scale
from tests.bench.earlier import THIS, Build
from tests.bench.findings import Finding, at_least, measured
from tests.bench.measure import MIB, CommandError, environment, high_water_bytes
from tests.bench.sides import Bench

CASES = ("cost", "memory")
LOOK_SECONDS = 0.02
INGEST = "reading the input"
PHASES = (INGEST, "planning", "generating", "writing the output")


@dataclass
class Phase:
    """One phase of a run as it was seen from outside: seconds, processor seconds, peak bytes."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Costs:
    """One run: its phases by name, and what its report says."""

    rows: int
    phases: dict[str, Phase]
    last: dict[str, Any]

    @property
    def peak_bytes(self) -> int:
        return max(phase.peak_bytes for phase in self.phases.values())

    def rate(self, *names: str) -> float:
        """Rows a second through these phases, one after the other."""
        return self.rows / sum(self.phases[name].seconds for name in names)

    def microseconds(self, name: str) -> float:
        """Processor time of a row in this phase."""
        return self.phases[name].cpu_seconds / self.rows * 1e6


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    rows = bench.sizes["cost"]
    rounds = [run_on_one_core(bench, rows) for _ in range(bench.rounds)]
    findings = _speed(rounds) if "cost" in wanted else []
    if "memory" in wanted:
        findings += _memory(rounds[-1], run_on_one_core(bench, bench.sizes["memory"]))
    return findings


def run_on_one_core(bench: Bench, rows: int, build: Build = THIS) -> Costs:
    """A run in a folder of its own, bound to the last core that we may use."""
    folder = bench.folder / f"cost-{rows}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scale.write_input(folder / "in.csv", rows)
    return followed(bench, folder, rows, build, {max(os.sched_getaffinity(0))})


def followed(
    bench: Bench, folder: Path, rows: int, build: Build, cores: Collection[int] = ()
) -> Costs:
    """A run over `in.csv` of a folder, which is then removed; bound to `cores`, if some are given.
    Raises CommandError if it does not answer all rows."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llmbatch", *scale.arguments()],
        cwd=folder,
        env=environment(**build.variables),
    )
    if cores:
        os.sched_setaffinity(process.pid, cores)
    phases = _followed(process, folder)
    if process.returncode != 0:
        raise CommandError(f"a run with the scripted engine ended with {process.returncode}")
    report = json.loads((folder / "out.llmbatch/report.json").read_bytes())
    costs = Costs(rows, phases, report["last_run"])
    bench.say(
        f"  {build.name}, {rows:,} rows: "
        + ", ".join(f"{name} {phases[name].seconds:.1f} s" for name in PHASES)
        + f", peak {costs.peak_bytes / MIB:,.0f} MiB"
    )
    shutil.rmtree(folder)
    return costs


def _followed(process: subprocess.Popen[bytes], folder: Path) -> dict[str, Phase]:
    """The seconds of each phase, by the live view and the kernel's counters."""
    phases: dict[str, Phase] = {}
    seen, name = psutil.Process(process.pid), "starting Python"
    began, used = time.monotonic(), 0.0
    while process.poll() is None:
        try:
            times = seen.cpu_times()
        except psutil.Error:
            break
        now, cpu = time.monotonic(), times.user + times.system
        phase = phases.setdefault(name, Phase())
        phase.seconds += now - began
        phase.cpu_seconds += cpu - used
        phase.peak_bytes = max(phase.peak_bytes, high_water_bytes(process.pid))
        began, used = now, cpu
        status = scale.read_status(folder, process.pid)
        name = status["phase"] if status else name
        time.sleep(LOOK_SECONDS)
    process.wait()
    return phases


def _speed(rounds: list[Costs]) -> list[Finding]:
    rows = rounds[-1].rows
    work = [costs.rate("generating", "writing the output") for costs in rounds]
    ingest = [costs.rate(INGEST) for costs in rounds]
    by_phase = ", ".join(f"{name} {rounds[-1].microseconds(name):.0f}" for name in PHASES)
    last = rounds[-1].last
    notes = [
        f"processor time of a row in µs by phase: {by_phase}",
        f"of the wall time of generating, checkpoints (commit and sync) take "
        f"{last['checkpoint_seconds'] / rows * 1e6:.0f} of "
        f"{last['generate_seconds'] / rows * 1e6:.0f} µs a row",
    ]
    what = f"{rows:,} rows on one core, scripted engine: generate, checkpoint and export"
    return [
        measured("cost", what, "rows/s", work, at_least(5000), notes),
        measured("cost", "the same: ingest", "rows/s", ingest, at_least(20_000)),
    ]


def _memory(few: Costs, many: Costs) -> list[Finding]:
    grown = (many.phases["generating"].peak_bytes - few.phases["generating"].peak_bytes) / MIB
    by_phase = ", ".join(
        f"{name} {many.phases[name].peak_bytes / MIB:,.0f}"
        for name in PHASES
        if name in many.phases
    )
    notes = [
        f"with {few.rows:,} rows {few.peak_bytes / MIB:,.0f} MiB; "
        f"{grown:,.0f} MiB more while generating",
        f"highest so far in MiB at the end of each phase: {by_phase}",
        "`make bench-scale` goes on to ten million rows",
    ]
    what = f"peak memory of a run of {many.rows:,} rows, scripted engine"
    return [measured("memory", what, "MiB", [many.peak_bytes / MIB], None, notes)]
