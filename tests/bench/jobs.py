"""`make bench-jobs`: jobs in one command, which share an engine, against a command for each."""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.measure import ROOT, CommandError, environment

SAMPLES = ROOT / "samples"
TARGET = 0.35


def write(folder: Path, jobs: int, rows: int) -> list[str]:
    """Job files of so many tickets each, none of which is in two of them; their names."""
    with (SAMPLES / "tickets/tickets.csv").open(newline="") as stream:
        header, *every = csv.reader(stream)
    names = []
    for number in range(jobs):
        with (folder / f"in{number}.csv").open("w", newline="") as stream:
            chosen = [
                every[place % len(every)] for place in range(number * rows, (number + 1) * rows)
            ]
            csv.writer(stream).writerows([header, *chosen])
        name = f"job{number}.toml"
        text = (SAMPLES / "tickets/job.toml").read_text()
        for old, new in {
            '"tickets.csv"': f'"in{number}.csv"',
            'id_column = "id"\n': "",
            '"answers.jsonl"': f'"out{number}.jsonl"',
            '"../model"': f'"{SAMPLES / "model"}"',
            '"@prompt.txt"': f'"@{SAMPLES / "tickets/prompt.txt"}"',
            '"schema.json"': f'"{SAMPLES / "tickets/schema.json"}"',
        }.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
        names.append(name)
    return names


def run(folder: Path, *names: str) -> float:
    """Seconds of one command."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "llmbatch", "run", "--quiet", *names],
        cwd=folder,
        env=environment(),
        check=False,
    )
    if done.returncode:
        raise CommandError(f"llmbatch run {' '.join(names)}: exit code {done.returncode}")
    return time.monotonic() - began


def measure(jobs: int, rows: int, *, together_first: bool) -> tuple[float, float]:
    """Seconds of one command for all, and of a command for each, on stores of their own."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as each:
        sides = {Path(one): True, Path(each): False}
        seconds = {}
        for folder, is_one in sorted(sides.items(), key=lambda side: side[1] != together_first):
            names = write(folder, jobs, rows)
            commands = [names] if is_one else [[name] for name in names]
            seconds[is_one] = sum(run(folder, *command) for command in commands)
        for number in range(jobs):
            name = f"out{number}.jsonl"
            if (Path(one) / name).read_bytes() != (Path(each) / name).read_bytes():
                raise CommandError(f"{name}: the answers are others where an engine is shared")
        return seconds[True], seconds[False]


def main() -> int:
    """Print the figures. 1 if one command takes more of the time than it may."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=5)
    options.add_argument("--rows", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    shares = []
    for number in range(given.rounds):
        one, each = measure(given.jobs, given.rows, together_first=number % 2 == 0)
        shares.append(one / each)
        print(
            f"round {number + 1}: {given.jobs} jobs of {given.rows} rows: one command {one:.1f} s, "
            f"a command for each {each:.1f} s, share {one / each:.3f}; the same answers",
            flush=True,
        )
    share = statistics.median(shares)
    print(f"share of the time: {share:.3f} (at most {TARGET})")
    return int(share > TARGET)


if __name__ == "__main__":
    sys.exit(main())
