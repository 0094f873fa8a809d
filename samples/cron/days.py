"""The input of a job on its first day, or on the next one.

    python samples/cron/days.py first FOLDER ROWS
    python samples/cron/days.py next FOLDER

The first writes `tickets.csv`, and the right answers of 400 of them, `gold.csv`. The next one
lengthens every hundredth ticket by a sentence, and adds one new ticket for a hundred.
"""

import csv
import subprocess
import sys
from pathlib import Path

GENERATE = Path(__file__).parents[1] / "tickets/generate.py"
GOLD_ROWS = 400

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def first(folder: Path, count: str) -> None:
    """Write tickets and gold, which the tickets do not hold."""
    tickets = folder / "tickets.csv"
    subprocess.run([sys.executable, str(GENERATE), count, str(tickets)], check=True)
    rows = read(tickets)
    step = max(1, len(rows) // GOLD_ROWS)
    names = ("id", "gold_category", "gold_priority", "gold_order_id")
    write(folder / "gold.csv", [{name: row[name] for name in names} for row in rows[::step]])
    write(tickets, [{name: row[name] for name in row if name not in names[1:]} for row in rows])


def following(folder: Path) -> None:
    """Write the tickets of the next day over those of the first."""
    rows = read(folder / "tickets.csv")
    added = [
        row | {"id": f"{len(rows) + number:06}", "text": f"One more question. {row['text']}"}
        for number, row in enumerate(rows[50::100], start=1)
    ]
    for row in rows[7::100]:
        row["text"] += " I wrote to you yesterday already."
    write(folder / "tickets.csv", [*rows, *added])
    print(f"{len(rows[7::100]):,} rows changed, {len(added):,} added")


if __name__ == "__main__":
    if sys.argv[1] == "first":
        first(Path(sys.argv[2]), sys.argv[3])
    else:
        following(Path(sys.argv[2]))
