"""The table of schema makers: type of field x (grammar = schema?) x backend, before and after.

`make schemas` prints it with up to 1,000 values and as many near-misses each.
"""

import argparse
import json
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

from tests.constraints.makers.trial import Tried, all_schemas, try_schema

COLUMNS = ("raw", "xgrammar", "guidance", "chosen")
_RESULTS = ("same", "told", "silent", "refused")


def _try(item: tuple[str, dict[str, object], int]) -> tuple[str, dict[str, Tried]]:
    name, schema, count = item
    return name, try_schema(schema, count)


def main() -> None:
    """Try all schemas, print their rows and the counts of each maker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--only", default="", help="a part of the names to try")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all details to this file")
    chosen = parser.parse_args()
    work = [
        (name, schema, chosen.count)
        for name, schema in all_schemas().items()
        if chosen.only in name
    ]
    with get_context("fork").Pool(chosen.processes) as pool:
        rows = dict(pool.imap(_try, work, chunksize=1))
    for line in lines(rows):
        print(line)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False))


def lines(rows: dict[str, dict[str, Tried]]) -> list[str]:
    """The table in Markdown: a line for each maker, then one for each type of field."""
    kinds = "/".join(_RESULTS)
    head = f"| maker | types | {' | '.join(f'{each} {kinds}' for each in COLUMNS)} |"
    made = [head, "|---" * (len(COLUMNS) + 2) + "|"]
    makers = dict.fromkeys(name.split()[0] for name in rows)
    for maker in [*makers, "all"]:
        mine = [row for name, row in rows.items() if maker in ("all", name.split()[0])]
        cells = [Counter(row[column].result for row in mine) for column in COLUMNS]
        counts = ["/".join(str(cell[each]) for each in _RESULTS) for cell in cells]
        made.append(f"| {maker} | {len(mine)} | {' | '.join(counts)} |")
    made += ["", f"| field | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in rows.items():
        made.append(f"| {name} | {' | '.join(row[column].result for column in COLUMNS)} |")
    return made


if __name__ == "__main__":
    main()
