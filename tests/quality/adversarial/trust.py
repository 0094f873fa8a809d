"""Rules and signs over the bundled model's answers to held-out tickets, whose gold is known.

The answers are kept in a folder: a second call looks at them anew without computing them.
"""

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.store.flags import Flags
from llmbatch.store.opening import open_store
from tests.quality.adversarial.cases import FOLDER

TICKETS = FOLDER.parents[2] / "samples" / "tickets"
RIGHT = 2_000
_ROWS = 2_050
_FIELDS = ("category", "priority", "order_id")


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers that are right or wrong, and how many of each a rule or sign flags (`any`: some)."""

    right: int
    wrong: int
    of_right: Mapping[str, int]
    of_wrong: Mapping[str, int]


def look(folder: Path) -> Seen:
    """The flags of the first 2,000 right answers, and of the wrong ones before the last of them."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source, output = folder / "tickets.csv", folder / "answers.jsonl"
    if not source.exists():
        _call(sys.executable, TICKETS / "generate.py", _ROWS, source)
    job, flags = FOLDER / "tickets.toml", ("--quiet", "--overwrite", "-o", output)
    _call(sys.executable, "-m", "llmbatch", "run", job, "--input", source, *flags)
    with source.open(newline="") as stream:
        golds = [{name: row[f"gold_{name}"] or None for name in _FIELDS}
                 for row in csv.DictReader(stream)]  # fmt: skip
    answers = {record["id"]: record["response"] for record in _records(output)}
    with source.open(newline="") as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    return _counted(folder, [answers.get(name) for name in ids], golds)


def _counted(folder: Path, answers: list[Any], golds: list[dict[str, Any]]) -> Seen:
    counted = {True: Counter[str](), False: Counter[str]()}
    rows = Counter[bool]()
    with open_store(folder / "answers.llmbatch" / "job.duckdb", read_only=True) as db:
        flags = Flags(db)
        for number, (answer, gold) in enumerate(zip(answers, golds, strict=True), 1):
            names = {f"{flag.origin}:{flag.name}" for flag in flags.of(number)}
            if answer is None or rows[True] == RIGHT:
                continue
            is_right = answer == gold
            rows[is_right] += 1
            counted[is_right].update([*names, *(["any"] if names else [])])
    return Seen(rows[True], rows[False], counted[True], counted[False])


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _call(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
