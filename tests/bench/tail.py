"""The end of a job whose long requests come last in the planned order, in engine steps.

Steps are counted, not timed: one round is enough, and the engine may run in this process.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from tests.bench import workloads
from tests.bench.findings import Finding, at_most, compared
from tests.bench.sides import Bench, Variant, generate, llmbatch

CASES = ("tail",)


def run(bench: Bench, wanted: Collection[str]) -> list[Finding]:
    """llmbatch, which may start long requests early, against the planned order as it is."""
    if "tail" not in wanted:
        return []
    rows = bench.sizes["tail"]
    source = workloads.write_rows(bench.folder / "tail.in.jsonl", workloads.long_last(rows))
    ran = llmbatch(bench, "tail", source, workloads.REPLY, workloads.MAX_TOKENS)
    steps = ran.last["steps"]
    variants = {"planned": Variant(ran.planned(), workloads.MAX_TOKENS)}
    theirs = generate(bench, "tail-baseline", variants)["planned"]
    bench.say(f"  llmbatch {steps:,} steps, planned order {theirs['steps']:,}")
    return [finding(steps, theirs, bench.engine["max_num_seqs"])]


def finding(steps: int, theirs: Mapping[str, Any], at_once: int) -> Finding:
    """The seconds of llmbatch, against the planned order and against a bound for all orders."""
    rows = theirs["requests"]
    least = floor(theirs["output_tokens"], theirs["longest"], at_once)
    what = f"engine steps of {rows:,} rows, long ones last, against the planned order as it is"
    notes = [
        f"no order takes fewer than {least:,} steps; llmbatch takes {steps / least - 1:.1%} more, "
        f"the planned order {theirs['steps'] / least - 1:.1%} more",
        f"longest answer {theirs['longest']} tokens of {theirs['output_tokens']:,} in all",
    ]
    return compared("tail", what, "steps", [(steps, theirs["steps"])], at_most(1.0), notes)


def floor(tokens: int, longest: int, at_once: int) -> int:
    """The fewest steps in which so many output tokens can be made, `at_once` in each step."""
    return max(longest, math.ceil(tokens / at_once))
