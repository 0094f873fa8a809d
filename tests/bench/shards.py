"""`make bench-shards`: the cost of shards, in processor time: planning, resuming, merging.

Each shard reads and plans the whole input, so what that takes a row is what one shard pays for the
rows of all others. The engine is scripted; the times are those of our processes alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.scale import ROOT, write_input

MIB = 1 << 20
_STOPPED = 4


class Took(NamedTuple):
    """The seconds of a command, by the clock and of the processor, and its peak memory (bytes)."""

    wall: float
    processor: float
    peak: int


def command(folder: Path, *arguments: str, codes: Sequence[int] = (0,)) -> Took:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "llmbatch", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in codes, f"{arguments}: exit {process.returncode}"
    took = time.monotonic() - began
    return Took(took, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def run(folder: Path, *more: str, codes: Sequence[int] = (0,)) -> Took:
    given = ["run", "in.csv", "-o", "out.jsonl", "-m", "m", "--max-tokens", "16", "-q"]
    given += ["-p", "Classify this support ticket: {{ text }}"]
    given += ["--engine", "tests.scripted_engine:create", "--engine-arg", "window=256"]
    return command(folder, *given, *more, codes=codes)


def told(what: str, took: Took, rows: int) -> None:
    each = took.processor / rows * 1e6
    print(
        f"{what:<58} {each:7.1f} us a row  {took.processor:7.1f} s of a core  "
        f"{took.wall:7.1f} s by the clock  peak {took.peak / MIB:6,.0f} MiB",
        flush=True,
    )


def size(state: Path) -> float:
    return sum(path.stat().st_size for path in state.iterdir() if path.is_file()) / MIB


def plan(folder: Path, rows: int, shards: int) -> None:
    """The planning of all rows, and that of one shard, which then does one request."""
    one = ("--max-rows", "1")
    told("plan and one request, no shards", run(folder, *one, codes=(_STOPPED,)), rows)
    print(f"  store {size(folder / 'out.llmbatch'):,.0f} MiB")
    shutil.rmtree(folder / "out.llmbatch")
    for number in (1, shards):
        share = ("--shard", f"{number}/{shards}")
        took = run(folder, *share, *one, codes=(_STOPPED,))
        told(f"plan and one request, shard {number} of {shards}, by all rows", took, rows)
        state = folder / f"out-shard-{number}-of-{shards}.llmbatch"
        print(f"  store {size(state):,.0f} MiB")
    again = run(folder, "--shard", f"1/{shards}", *one, codes=(_STOPPED,))
    told(f"resume and one request, shard 1 of {shards}, by its rows", again, rows // shards)
    for path in folder.glob("out-shard*"):
        shutil.rmtree(path)


def merge(folder: Path, rows: int, shards: int) -> None:
    """All shards and their merging, against one run."""
    told("one run of all", run(folder, "-o", "whole.jsonl"), rows)
    for number in range(1, shards + 1):
        took = run(folder, "--shard", f"{number}/{shards}")
        told(f"shard {number} of {shards}, whole, by its rows", took, rows // shards)
    told(f"merge {shards} shards", command(folder, "merge", "out.jsonl", "-q"), rows)
    told("merge again", command(folder, "merge", "out.jsonl", "-q"), rows)
    same = (folder / "out.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    report = json.loads((folder / "out.llmbatch/report.json").read_bytes())
    print(f"the output is that of one run: {same}; rows {report['counts']}")
    assert same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--merged-rows", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--merged-shards", type=int, default=4)
    given = parser.parse_args()
    for part, rows, shards in (
        (plan, given.rows, given.shards),
        (merge, given.merged_rows, given.merged_shards),
    ):
        if rows:
            folder = Path(tempfile.mkdtemp(prefix="llmbatch-shards-"))
            write_input(folder / "in.csv", rows)
            print(f"{rows:,} rows", flush=True)
            part(folder, rows, shards)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
