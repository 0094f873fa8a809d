"""The rates of changes of an input that are told, by their size, and of alarms without one.

`python -m tests.quality.drift.rates [SEEDS]` prints the table.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from llmbatch.quality.drift import comparison
from llmbatch.quality.drift.comparison import Former
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from tests.quality.drift.nights import CHANGES, night, profile_of

_SIZES = (50, 200, 1_000, 5_000, 20_000)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
_WINDOW = 14
_NIGHTS = 20
_BEFORE = 7


def _formers(db: Database, rng: random.Random, size: int, count: int) -> Iterator[Former]:
    for number in range(count):
        profile = profile_of(db, night(rng, size, number), f"{size}-{number}-{rng.random()}")
        yield Former(datetime(2026, 11, 1, tzinfo=UTC), profile)


def false_alarms(db: Database, size: int, seeds: int) -> tuple[int, int, list[str]]:
    """The unchanged nights of which something is told, all of them, and what is told."""
    alarms, nights, told = 0, 0, list[str]()
    for seed in range(seeds):
        seen = list(_formers(db, random.Random(seed), size, _NIGHTS))
        for number in range(1, _NIGHTS):
            drift = comparison.compare(
                seen[number].profile, seen[max(0, number - _WINDOW) : number]
            )
            nights, alarms = nights + 1, alarms + bool(drift.changes)
            told += comparison.lines(drift)
    return alarms, nights, told


def detections(db: Database, size: int, seeds: int) -> dict[tuple[str, float], int]:
    """The nights with a change of which it is told, by its name and the share of the rows."""
    told = dict.fromkeys(((name, share) for name in CHANGES for share in _SHARES), 0)
    for seed in range(seeds):
        rng = random.Random(1_000 + seed)
        before = list(_formers(db, rng, size, _BEFORE))
        for name, share in told:
            change, column, measure = CHANGES[name]
            rows = change(night(rng, size, _BEFORE), rng, share)
            drift = comparison.compare(profile_of(db, rows, f"{seed}-{name}-{share}"), before)
            told[name, share] += any(
                (each.column, each.measure) == (column, measure) for each in drift.changes
            )
    return told


def main() -> None:
    """Print both tables."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "job.duckdb") as db:
        print(f"unchanged nights of which something is told ({seeds} seeds, {_NIGHTS} nights each)")
        for size in _SIZES:
            alarms, nights, told = false_alarms(db, size, seeds)
            print(f"  {size:>6,} rows: {alarms} of {nights}", *told, sep="\n    " if told else "")
        print(f"nights with a change of which it is told, after {_BEFORE} nights, by share of rows")
        for size in _SIZES:
            found = detections(db, size, seeds)
            print(f"  {size:>6,} rows" + "".join(f"{share:>7.0%}" for share in _SHARES))
            for name in CHANGES:
                rates = (f"{found[name, share] / seeds:>7.0%}" for share in _SHARES)
                print(f"    {name:<20}", *rates, sep="")


if __name__ == "__main__":
    main()
