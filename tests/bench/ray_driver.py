"""The cost of a driver over Ray, in processor time of the run's own process.

    python -m tests.bench.ray_driver --replicas 1 2 8

An outcome: the difference between two runs of other sizes, with all that a row costs (reading,
planning, checkpoints, export), at 16 output tokens. A replica: its share of the time while all of
them answer slowly, so that each call brings what a tenth of a second has made; its inverse is the
ceiling.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.engines.ray import kills
from tests.engines.ray.two_nodes import TwoNodes
from tests.engines.replicas.kills import SCRIPTED

FEW, MANY = 4_000, 24_000
WORDS = 16
SLOW = 0.05
"""Seconds of an answer, of which a replica gives one after the other."""


def write_rows(folder: Path, rows: int) -> None:
    text = " ".join(["word"] * (WORDS - 1))
    lines = (json.dumps({"text": f"{number} {text}"}) for number in range(rows))
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")


def flags(address: str | None, replicas: int, *options: str) -> list[str]:
    chosen = ["--engine-arg", "answer=echo", "--engine-arg", "window=256"]
    chosen += [word for option in options for word in ("--engine-arg", option)]
    if address is None:
        return ["--engine", SCRIPTED, *chosen]
    over = ["--engine", f"ray:{SCRIPTED}", "--replicas", str(replicas)]
    return [*over, "--ray-address", address, *chosen]


def started(rows: int, words: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
    folder = Path(tempfile.mkdtemp())
    write_rows(folder, rows)
    command = kills.command(folder, str(folder / "out.jsonl"), *words)
    log = (folder / "stderr.txt").open("wb")
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=log, env=kills.environment()
    )
    return process, folder


def seconds(rows: int, words: list[str]) -> tuple[float, float]:
    """Processor time of the run's process, and its time by the clock."""
    began = time.monotonic()
    process, folder = started(rows, words)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "stderr.txt").read_text())
    return used.ru_utime + used.ru_stime, time.monotonic() - began


def outcome_cost(address: str | None, replicas: int) -> None:
    words = flags(address, replicas)
    (few, few_wall), (many, many_wall) = seconds(FEW, words), seconds(MANY, words)
    rows = MANY - FEW
    where = "in the run's own process" if address is None else f"over Ray, replicas: {replicas}"
    print(
        f"{where}: {1e6 * (many - few) / rows:.0f} µs of the run's processor time a row, "
        f"{rows / (many_wall - few_wall):,.0f} rows/s",
        flush=True,
    )


def replica_cost(address: str, replicas: int) -> None:
    process, folder = started(20_000, flags(address, replicas, f"delay={SLOW}"))
    while "generating" not in (folder / "stderr.txt").read_text():
        time.sleep(0.2)
    time.sleep(8)
    watched = psutil.Process(process.pid)
    began, before = time.monotonic(), sum(watched.cpu_times()[:2])
    time.sleep(15)
    share = (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - began)
    process.kill()
    process.wait()
    print(
        f"replicas: {replicas}, {1 / SLOW:.0f} answers/s each: the driver takes {share:.2f} of a "
        f"core; at that a core is enough for {replicas / share:,.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 8])
    given = parser.parse_args()
    outcome_cost(None, 1)
    with TwoNodes(cores=16) as nodes:
        for replicas in given.replicas:
            outcome_cost(nodes.address, replicas)
        replica_cost(nodes.address, max(given.replicas))


if __name__ == "__main__":
    main()
