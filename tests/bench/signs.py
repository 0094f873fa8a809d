"""The cost of warning signs: microseconds a row of a pass, of a pass over nothing new, and memory.

    python tests/bench/signs.py --rows 20000 200000

Inputs of about 60 words and answers of about 20, of which one in twenty has a sign.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from llmbatch.quality import answers
from llmbatch.quality.answer_form import form_of
from llmbatch.quality.signs import finding
from llmbatch.store import flags
from llmbatch.store.opening import open_store
from tests.quality.signs import stored

WORDS = [
    "the",
    "a",
    "of",
    "to",
    "and",
    "in",
    "is",
    "it",
    "was",
    "for",
    "on",
    "that",
    "with",
    "as",
    "at",
    "by",
    "order",
    "parcel",
    "invoice",
    "customer",
    "refund",
    "late",
    "broken",
    "address",
    "payment",
    "account",
    "change",
    "cancel",
    "delivery",
    "please",
    "since",
    "week",
    "never",
    "arrived",
    "support",
    "answer",
    "send",
    "again",
    "money",
    "card",
    "bank",
    "letter",
    "phone",
    "mail",
    "change",
    "house",
    "street",
    "number",
]
ODD = ("", "Yes", "I'm sorry, but I cannot help with that.", "so it goes on and " * 12)


def rows(count: int) -> list[tuple[str, str]]:
    draw = random.Random(1)
    made = []
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=60))
        answer = " ".join(draw.choices(WORDS, k=20))
        if number % 20 == 0:
            answer = (*ODD, text)[number // 20 % 5]
        made.append((f"{number} {text}", answer))
    return made


def measure(count: int) -> None:
    """Fill a store in a process of its own, then pass over it here: its memory is not ours."""
    with tempfile.TemporaryDirectory() as folder:
        fill = [sys.executable, "-m", "tests.bench.signs", "--fill", folder, "--rows", str(count)]
        subprocess.run(fill, check=True)
        print(_passed(Path(folder), count), flush=True)


def _passed(folder: Path, count: int) -> str:
    spec = stored.spec()
    with open_store(folder / "job.duckdb") as db:
        began = time.perf_counter()
        read = sum(1 for _ in answers.of_store(db, form_of(spec)))
        reading = time.perf_counter() - began
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        finding.mark(db, spec)
        first = time.perf_counter() - began
        began = time.perf_counter()
        finding.mark(db, spec)
        again = time.perf_counter() - began
        found = ", ".join(f"{each.name} {each.rows:,}" for each in flags.counts(db))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        f"{read:,} rows: {first / count * 1e6:.0f} µs a row, {reading / count * 1e6:.0f} of them "
        f"to read; {first:.2f} s; again with nothing new {again * 1000:.1f} ms; peak memory "
        f"{most / 1024:.0f} MiB, {before / 1024:.0f} MiB of it by reading alone; {found}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000])
    parser.add_argument("--fill", type=Path)
    given = parser.parse_args()
    for count in given.rows:
        if given.fill is None:
            measure(count)
            continue
        with stored.job(given.fill, rows(count)):
            pass


if __name__ == "__main__":
    main()
