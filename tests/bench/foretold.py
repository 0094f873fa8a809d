"""`llmbatch plan` against the run that follows it, on jobs of different kinds.

Each job is planned three times: before anything is known of it, after a sample of its rows, and
after a whole run, for as many rows more. Each plan but the first is followed by its run.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import workloads
from tests.bench.findings import Finding, at_least, figure, spread
from tests.bench.measure import CommandError, environment
from tests.bench.sides import Bench
from tests.bench.workloads import Row

CASES = ("plan",)
SAMPLE = 50
PRICE = 2.0
_FINISHED = (0, 3)
_SCHEMA = workloads.ROOT / "samples/tickets/schema.json"
_LABELS = ("billing", "refund", "shipping", "account", "technical", "cancellation", "product")
_SYSTEM = "You read tickets of customers and extract category, priority and order id as JSON."


@dataclass(frozen=True)
class JobKind:
    """A job as its flags, and the engine options that differ from the suite's."""

    rows: str
    flags: Sequence[str]
    engine: Mapping[str, Any] = field(default_factory=dict)


JOBS: Mapping[str, JobKind] = {
    "extract": JobKind(
        "replies",
        ["-p", "Extract category, priority and order id as JSON.\n\n{{ text }}", "--schema",
         str(_SCHEMA), "--max-tokens", "64"],
    ),
    "classify": JobKind(
        "labels",
        ["-p", workloads.LABEL, *[part for name in _LABELS for part in ("--choice", name)]],
    ),
    "reply": JobKind("replies", ["-p", workloads.REPLY, "--max-tokens", "128"]),
    "record": JobKind(
        "shared_fields",
        ["-p", workloads.RECORD, "--max-tokens", "16"],
        workloads.SMALL_CACHE,
    ),
    "duplicates": JobKind("duplicates", ["-p", workloads.REPLY, "--max-tokens", "128"]),
    "system": JobKind("replies", ["--system", _SYSTEM, "-p", "{{ text }}", "--max-tokens", "64"]),
    "cut off": JobKind("replies", ["-p", workloads.REPLY, "--max-tokens", "48"]),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """The figures of a plan beside those of the run that followed it."""

    job: str
    basis: str
    plan: Mapping[str, Any]
    last: Mapping[str, Any]


def run(bench: Bench, wanted: Collection[str], jobs: Mapping[str, JobKind] = JOBS) -> list[Finding]:
    """All jobs, one after the other."""
    told = [one for name, kind in jobs.items() for one in _job(bench, name, kind)]
    return [found for basis in ("sample", "history") for found in _findings(told, basis)]


def _job(bench: Bench, name: str, kind: JobKind) -> Iterator[Told]:
    rows = bench.sizes["plan"]
    source = bench.folder / f"plan-{name.replace(' ', '-')}.jsonl"
    for basis, count, flags in (
        ("sample", rows, ["--sample", str(SAMPLE)]),
        ("history", 2 * rows, []),
    ):
        workloads.write_rows(source, _rows(kind.rows, count))
        plan = _plan(bench, name, kind, source, flags)
        one = Told(name, basis, plan, _run(bench, name, kind, source))
        bench.say(f"  {_line(one)}")
        yield one


def _rows(name: str, count: int) -> Iterator[Row]:
    rows: Iterator[Row] = getattr(workloads, name)(count)
    return rows


def _command(bench: Bench, verb: str, kind: JobKind, source: Path) -> list[str]:
    output = source.with_suffix(".out.jsonl")
    command = [sys.executable, "-m", "llmbatch", verb, str(source), "-o", str(output)]
    command += ["-m", bench.model, *kind.flags, "--price-per-hour", str(PRICE)]
    for option, value in {**bench.engine, **kind.engine}.items():
        command += ["--engine-arg", f"{option}={json.dumps(value)}"]
    return command


def _plan(
    bench: Bench, name: str, kind: JobKind, source: Path, flags: Sequence[str]
) -> dict[str, Any]:
    command = [*_command(bench, "plan", kind, source), *flags, "--format", "json"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd=bench.folder, check=False
    )
    if done.returncode != 0:
        raise CommandError(f"plan of {name}: {done.stderr}")
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def _run(bench: Bench, name: str, kind: JobKind, source: Path) -> dict[str, Any]:
    command = [*_command(bench, "run", kind, source), "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd=bench.folder, check=False
    )
    if done.returncode not in _FINISHED:
        raise CommandError(f"run of {name}: {done.stderr}")
    state = source.with_suffix(".out.llmbatch")
    last: dict[str, Any] = json.loads((state / "report.json").read_bytes())["last_run"]
    return last


def _inside(interval: Mapping[str, float], actual: float) -> bool:
    """True if a figure lies in an interval, up to the rounding of floats."""
    slack = 1e-9 * max(1.0, abs(actual))
    return interval["low"] - slack <= actual <= interval["high"] + slack


def _pairs(one: Told) -> dict[str, tuple[Mapping[str, float], float]]:
    """The expected and the actual value, by figure."""
    plan, last = one.plan, one.last
    return {
        "prompt tokens": (plan["tokens"]["prompt"], last["prompt_tokens"]),
        "output tokens": (plan["tokens"]["output"], last["output_tokens"]),
        "generation": (_generation(plan), last["generate_seconds"]),
        "time": (plan["time"]["seconds"], last["seconds"]),
        "cost": (plan["cost"]["cost"], last["cost"]),
    }


def _generation(plan: Mapping[str, Any]) -> Mapping[str, float]:
    """The parts of the time that are not the start and the end of a run."""
    names = ("prefill", "decode", "warm-up and idle")
    parts = [part["seconds"] for part in plan["time"]["parts"] if part["name"] in names]
    return {bound: sum(part[bound] for part in parts) for bound in ("expected", "low", "high")}


def _line(one: Told) -> str:
    parts = [
        f"{name} {figure(actual)} of {figure(told['expected'])} ({figure(told['low'])} to "
        f"{figure(told['high'])}){'' if _inside(told, actual) else ' OUTSIDE'}"
        for name, (told, actual) in _pairs(one).items()
    ]
    return f"{one.job}, by {one.basis}: {'; '.join(parts)}"


def _findings(told: Sequence[Told], basis: str) -> Iterator[Finding]:
    """For each figure: how many of the jobs lay inside, and how far from what was expected."""
    chosen = [one for one in told if one.basis == basis]
    for name in ("prompt tokens", "output tokens", "generation", "time", "cost"):
        pairs = [_pairs(one)[name] for one in chosen]
        inside = sum(_inside(interval, actual) for interval, actual in pairs)
        widths = [
            max(interval["high"] / interval["expected"], interval["expected"] / interval["low"]) - 1
            for interval, _ in pairs
        ]
        notes = [_line(one) for one in chosen] if name == "time" else []
        notes.append(f"{basis}, {name}: intervals reach {spread([100 * w for w in widths])} % away")
        yield Finding(
            "plan",
            f"{name} of {len(pairs)} jobs inside the interval of `plan`, by "
            + (f"a sample of {SAMPLE} rows" if basis == "sample" else "the run before"),
            f"{inside} of {len(pairs)}",
            "-",
            f"actual / expected {spread([actual / each['expected'] for each, actual in pairs])}",
            str(at_least(len(pairs))),
            inside == len(pairs),
            tuple(notes),
        )
