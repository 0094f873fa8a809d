"""`make bench`: every figure that llmbatch promises, measured side by side on this machine.

All comparisons are interleaved (A B B A ...) and each round gives a ratio, because machines are
noisy and drift. Prints a table with medians and ranges; with --write also RESULTS.md.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import (
    batch,
    cost,
    foretold,
    front_end,
    generation,
    long_prompt,
    nights,
    parts,
    shared,
    starts,
    streams,
    tail,
)
from tests.bench.findings import Finding
from tests.bench.measure import CommandError
from tests.bench.sides import FULL, QUICK, Bench
from tests.bench.table import Results, notes_of, rows_of

Group = Callable[[Bench, Collection[str]], list[Finding]]

Groups = tuple[tuple[Sequence[str], Group], ...]

GROUPS: Groups = (
    (generation.CASES, generation.run),
    (batch.CASES, batch.run),
    (shared.CASES, shared.run),
    (starts.CASES, starts.run),
    (tail.CASES, tail.run),
    (long_prompt.CASES, long_prompt.run),
    (front_end.CASES, front_end.run),
    (nights.CASES, nights.run),
    (foretold.CASES, foretold.run),
    (cost.CASES, cost.run),
    (streams.CASES, streams.run),
    (parts.CASES, parts.run),
)
CASES = [case for cases, _ in GROUPS for case in cases]
# Takes many minutes: only when it is asked for.
APART = frozenset({"large"})


def measure(
    bench: Bench, wanted: Collection[str], groups: Groups = GROUPS
) -> tuple[list[Finding], list[str]]:
    """The findings of all wanted cases, and what could not be measured."""
    findings: list[Finding] = []
    problems: list[str] = []
    for cases, run in groups:
        chosen = [case for case in cases if case in wanted]
        if not chosen:
            continue
        began = time.monotonic()
        bench.say(f"{', '.join(chosen)}:")
        try:
            findings += run(bench, chosen)
        except CommandError as error:
            problems.append(f"{', '.join(chosen)}: {error}")
        bench.say(f"  {time.monotonic() - began:.0f} s in all")
    return findings, problems


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--large", action="store_true", help="the large run-batch case, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few rows: to see that all works")
    parser.add_argument(
        "--size", action="append", default=[], metavar="NAME=ROWS", help="may be repeated"
    )
    parser.add_argument("--write", action="store_true", help="into RESULTS.md, beside this file")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options()
    given = parser.parse_args(arguments)
    if given.write and given.quick:
        parser.error("--quick measures nothing worth writing down")
    sizes = dict(QUICK if given.quick else FULL)
    for text in given.size:
        name, _, amount = text.partition("=")
        if name not in sizes or not amount.isdecimal():
            parser.error(f"--size {text}: write NAME=NUMBER; the names are {', '.join(sizes)}")
        sizes[name] = int(amount)
    wanted = given.only or [case for case in CASES if case not in APART or given.large]
    with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as folder:
        findings, problems = measure(Bench(Path(folder), given.rounds, sizes), wanted)
    print("\n".join(["", *rows_of(findings), "", *notes_of(findings)]))
    if given.write:
        results = Results(Path(__file__).parent)
        told = sys.argv[1:] if arguments is None else arguments
        results.put(findings, command_of("python tests/bench/suite.py", told, given.rounds))
        results.write(CASES)
    leave(problems)


def command_of(program: str, told: Sequence[str], rounds: int) -> str:
    """The command that measures the same again, with the number of rounds spelled out."""
    more = [] if "--rounds" in told else ["--rounds", str(rounds)]
    return f"{program} {shlex.join([*told, *more])}"


def leave(problems: Sequence[str]) -> NoReturn:
    """Tell what could not be measured, and end. A missed goal is a result, no failure."""
    for problem in problems:
        print(f"PROBLEM: {problem}", file=sys.stderr)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
