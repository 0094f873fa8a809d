"""Cases that are measured elsewhere and told here: ordering a table, and what a kill costs."""

import json
import re
import statistics
import sys
from collections.abc import Collection
from pathlib import Path

from tests.bench.findings import Finding, at_most, measured
from tests.bench.measure import ROOT, CommandError, spend
from tests.bench.sides import Bench
from tests.crash import jobs, sigkill

CASES = ("ordering", "kill")
# Answers of the scripted engine come this many seconds apart: faster than a checkpoint fills up.
DELAY = 0.001
SEED = 4
COLUMNS = 8
_ORDERING = Path(__file__).with_name("ordering.py")


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    findings = _ordering(bench) if "ordering" in wanted else []
    return findings + (_kill(bench) if "kill" in wanted else [])


def _ordering(bench: Bench) -> list[Finding]:
    """The order of a table's fields, and the plan with it: `record_order.py` in its own process."""
    rows = bench.sizes["ordering"]
    log = bench.folder / "ordering.log"
    command = [sys.executable, str(_ORDERING), "--rows", str(rows), "--columns", str(COLUMNS)]
    spend(command, log, variables={"PYTHONPATH": str(ROOT)})
    printed = log.read_text()
    seconds = {name: _number(rf"^{name} +([\d.]+) s", printed) for name in ("choose", "plan")}
    memory = _number(r"^peak memory ([\d,]+) MiB", printed)
    what = f"order of {rows:,} rows of {COLUMNS} columns"
    bench.say("  " + "; ".join(printed.splitlines()))
    notes = [
        f"choosing the fields' order {seconds['choose']:.1f} s, rendering, keys and sorting "
        f"{seconds['plan']:.1f} s"
    ]
    total = sum(seconds.values())
    return [
        measured("ordering", f"{what}: choose and plan", "s", [total], at_most(60, " s"), notes),
        measured("ordering", f"{what}: peak memory", "MiB", [memory], at_most(2048, " MiB")),
    ]


def _number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed, re.MULTILINE)
    if found is None:
        raise CommandError(f"{_ORDERING.name} printed nothing like {pattern}")
    return float(found.group(1).replace(",", ""))


def _kill(bench: Bench) -> list[Finding]:
    folder = bench.folder / "kill"
    folder.mkdir()
    job = jobs.scripted(folder, bench.sizes["kill"], DELAY)
    outputs = (folder / "reference/out.jsonl", folder / "killed/out.jsonl")
    result = sigkill.torment(job, *outputs, bench.sizes["kills"], SEED)
    lost = result.lost or [0]
    report = json.loads((outputs[0].with_suffix(".llmbatch") / "report.json").read_bytes())
    speed = report["last_run"]["rows_per_second_steady"]
    interval = round(speed * job.checkpoint_seconds)
    notes = [
        f"{len(result.kills)} kills of the process tree at random moments; lost: median "
        f"{statistics.median(lost):g}, greatest {max(lost)} answers",
        "the same with vLLM: `make test-crash`",
        *result.problems,
    ]
    what = (
        f"answers lost by a SIGKILL, at most; a checkpoint interval ({job.checkpoint_seconds:g} s) "
        f"makes {interval:,} at full speed"
    )
    return [measured("kill", what, "answers", [max(lost)], at_most(interval), notes)]
