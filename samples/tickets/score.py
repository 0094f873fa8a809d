"""Scores an llmbatch output over the sample tickets against the gold columns.

    python samples/tickets/score.py OUT.jsonl                       # extraction
    python samples/tickets/score.py OUT.jsonl --field category      # classification
    python samples/tickets/score.py OUT.jsonl --of 600 --at-least 97

Each line of OUT.jsonl holds the input's columns and `response`: an object (structured output) or
a string (JSON text, or with --field perhaps the bare label). `-` reads standard input.
Exit status: 0; 1 if the share of right records is below --at-least; 2 if OUT cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FIELDS = ("category", "priority", "order_id")
ABSENT = object()


def answer_of(response: object, field: str | None) -> dict[str, Any] | None:
    """The answer as an object; None if it is not one."""
    parsed: Any = response
    if isinstance(response, str):
        try:
            parsed = json.loads(response)
        except ValueError:
            text = response.strip()
            parsed = None if text == "none" else text  # the bare answer where there is no order id
    if isinstance(parsed, dict):
        return parsed
    return {field: parsed} if field else None


def gold_of(record: dict[str, Any], field: str) -> str | None:
    """The gold label; CSV input has an empty string where JSONL has null."""
    gold: str | None = record[f"gold_{field}"]
    return gold or None


def count(records: Iterable[dict[str, Any]], field: str | None) -> Counter[str]:
    """How many records, how many right in all and by field, how many unparseable."""
    fields = (field,) if field else FIELDS
    counts: Counter[str] = Counter()
    for record in records:
        counts["records"] += 1
        answer = answer_of(record.get("response"), field)
        if answer is None:
            counts["unparseable"] += 1
            continue
        right = [name for name in fields if answer.get(name, ABSENT) == gold_of(record, name)]
        counts.update(right)
        # An exact record has nothing but the fields asked for.
        counts["exactly right"] += len(right) == len(fields) == len(answer) or bool(field and right)
    return counts


def report(counts: Counter[str], of: int, field: str | None) -> float:
    """Prints the counts with percentages; returns the percentage of right records."""
    print(f"{'records':<14} {counts['records']:>6} of {of}")
    rows = ["exactly right", *((field,) if field else FIELDS), "unparseable"]
    for name in rows:
        print(f"{name:<14} {counts[name]:>6} {percent(counts[name], of):7.2f} %")
    if missing := of - counts["records"]:
        print(f"{'missing':<14} {missing:>6} {percent(missing, of):7.2f} %  (counted as wrong)")
    return percent(counts["exactly right"], of)


def percent(part: int, of: int) -> float:
    return 100 * part / of if of else 0.0


def read(name: str) -> list[dict[str, Any]]:
    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    # Not splitlines(): JSON strings may hold other line separators than "\n".
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", help="output records of llmbatch, JSON Lines")
    parser.add_argument("--field", choices=FIELDS, help="score one label instead of the record")
    parser.add_argument("--of", type=int, help="rows that went in; absent ones count as wrong")
    parser.add_argument("--at-least", type=float, metavar="PCT", help="exit 1 below this")
    options = parser.parse_args()
    try:
        counts = count(read(options.out), options.field)
    except (OSError, ValueError, KeyError) as error:
        print(f"{options.out}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    of = max(options.of or 0, counts["records"])
    share = report(counts, of, options.field)
    return 1 if options.at_least is not None and share < options.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
