"""How many facts are right in the output of facts.toml.

python samples/texts/count_right.py facts.csv
"""

import csv
import sys
from pathlib import Path

PAIRS = {"town": "place", "happened": "year"}


def main(name: str) -> None:
    text = Path(name).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for answer, right in PAIRS.items():
        good = sum(row[answer] == row[right] for row in rows)
        print(f"{answer:9} right in {good} of {len(rows)}")


if __name__ == "__main__":
    main(sys.argv[1])
