"""The whole process against `vllm run-batch`: wall time and memory, few requests and many.

The `vllm` command does not work with the CPU package; the module behind it does.
"""

import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import workloads
from tests.bench.findings import Finding, at_most, compared, figure
from tests.bench.measure import MIB, CommandError, Spent, spend
from tests.bench.sides import Bench, llmbatch

CASES = ("run-batch", "large")
MODULE = "vllm.entrypoints.openai.run_batch"


@dataclass(frozen=True)
class Side:
    """The seconds and memory of one side for the same requests."""

    spent: Spent
    requests: int
    output_tokens: int


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    findings: list[Finding] = []
    if "run-batch" in wanted:
        findings += _few(bench)
    if "large" in wanted:
        findings += _many(bench)
    return findings


def _few(bench: Bench) -> list[Finding]:
    """The same requests in rounds, who begins changes."""
    rows = bench.sizes["run-batch"]
    rounds = [
        both(bench, f"batch{number}", rows, workloads.REPLY, ours_first=number % 2 == 0)
        for number in range(bench.rounds)
    ]
    seconds = [(ours.spent.seconds, theirs.spent.seconds) for ours, theirs in rounds]
    memory = [
        (ours.spent.tree_bytes / MIB, theirs.spent.tree_bytes / MIB) for ours, theirs in rounds
    ]
    what = f"{rows:,} requests, whole process, against vllm run-batch"
    return [
        compared("run-batch", f"{what}: wall time", "s", seconds, at_most(1.0), [*_notes(rounds)]),
        compared("run-batch", f"{what}: peak memory", "MiB", memory, at_most(1.0)),
    ]


def _notes(rounds: list[tuple[Side, Side]]) -> Iterator[str]:
    for name, side in zip(("llmbatch", "run-batch"), rounds[-1], strict=True):
        spent = side.spent
        yield (
            f"{name}: {spent.cpu_seconds:.1f} s of processor time, the front-end process alone "
            f"{spent.front_bytes / MIB:,.0f} MiB"
        )


def _many(bench: Bench) -> list[Finding]:
    """Short requests, many of them: what the memory is, and how it has grown over a few."""
    few, many = bench.sizes["run-batch"], bench.sizes["large"]
    small = both(bench, "small", few, workloads.LABEL, ours_first=True)
    large = both(bench, "large", many, workloads.LABEL, ours_first=False)
    what = f"{many:,} short requests against vllm run-batch"
    trees = [side.spent.tree_bytes / MIB for side in large]
    fronts = [side.spent.front_bytes / MIB for side in large]
    growth = [
        max(0.1, (later.spent.front_bytes - former.spent.front_bytes) / MIB)
        for former, later in zip(small, large, strict=True)
    ]
    seconds = [side.spent.seconds for side in large]
    fifth = at_most(0.2)
    tree_note = (
        "the tree holds the engine, the same on both sides: with "
        f"{few:,} requests {figure(small[0].spent.tree_bytes / MIB)} and "
        f"{figure(small[1].spent.tree_bytes / MIB)} MiB"
    )
    return [
        compared(
            "large", f"{what}: peak of the whole tree", "MiB", _pair(trees), fifth, [tree_note]
        ),
        compared("large", f"{what}: peak of the front end alone", "MiB", _pair(fronts), fifth),
        compared(
            "large", f"{what}: growth of the front end over {few:,}", "MiB", _pair(growth), fifth
        ),
        compared("large", f"{what}: wall time", "s", _pair(seconds), at_most(1.0)),
    ]


def _pair(values: list[float]) -> list[tuple[float, float]]:
    return [(values[0], values[1])]


def both(
    bench: Bench, name: str, rows: int, template: str, *, ours_first: bool
) -> tuple[Side, Side]:
    make = workloads.replies if template == workloads.REPLY else workloads.labels
    source = workloads.write_rows(bench.folder / f"{name}.in.jsonl", make(rows))
    if ours_first:
        ours = _llmbatch(bench, name, source, template)
        theirs = _run_batch(bench, name, template, make(rows))
    else:
        theirs = _run_batch(bench, name, template, make(rows))
        ours = _llmbatch(bench, name, source, template)
    for label, side in (("llmbatch", ours), ("run-batch", theirs)):
        bench.say(
            f"  {name}: {label} {side.spent.seconds:.1f} s, {side.spent.cpu_seconds:.1f} s of "
            f"processor time, peak of the tree "
            f"{side.spent.tree_bytes / MIB:,.0f} MiB, of the front end "
            f"{side.spent.front_bytes / MIB:,.0f} MiB"
        )
    former, later = ((side.requests, side.output_tokens) for side in (ours, theirs))
    if former != later:
        raise CommandError(f"not the same work (requests, tokens): {former} and {later}")
    return ours, theirs


def _llmbatch(bench: Bench, name: str, source: Path, template: str) -> Side:
    ran = llmbatch(bench, name, source, template, workloads.MAX_TOKENS, memory=True)
    return Side(ran.spent, ran.last["requests"], ran.last["output_tokens"])


def _run_batch(bench: Bench, name: str, template: str, rows: Iterator[workloads.Row]) -> Side:
    source, output = bench.folder / f"{name}.batch.jsonl", bench.folder / f"{name}.batch.out"
    workloads.write_batch(source, template, rows, bench.model, workloads.MAX_TOKENS)
    command = [sys.executable, "-m", MODULE, "-i", str(source), "-o", str(output)]
    command += ["--model", bench.model, *flags_of(bench)]
    spent = spend(command, bench.folder / f"{name}.batch.log", memory=True)
    requests = tokens = 0
    with output.open(encoding="utf-8") as lines:
        for line in lines:
            body = json.loads(line)["response"]["body"]
            requests += 1
            tokens += body["usage"]["completion_tokens"]
    return Side(spent, requests, tokens)


def flags_of(bench: Bench) -> list[str]:
    """The engine's settings as flags of vLLM's commands."""
    flags = []
    for name, value in bench.engine.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [f"--{flag}", str(value)]
    return flags
