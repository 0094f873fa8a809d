"""Inputs of other projects' test suites, read as llmbatch, pandas and DuckDB read them.

Each file is taken and equal to what another reader makes of it, taken and told (with a note or
rejects), refused with a cure, or silently different, of which there should be none:

    python -m tests.sweep.sweep FOLDER...
"""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import parse_record
from llmbatch.core.records import Record
from llmbatch.formats import detect, open_input, open_reader

TABLES, DOCUMENTS = (".csv", ".tsv"), (".json", ".jsonl", ".ndjson")
Rows = list[list[str]]


class Taken(NamedTuple):
    """A file as llmbatch reads it."""

    rows: Rows
    rejects: int
    notes: list[str]


def read(path: Path) -> Taken:
    """The rows, their values as text. Raises UsageError for what is refused."""
    rows, rejects = [], 0
    with (
        open_input(str(path)) as stream,
        open_reader(path.name, stream, detect(str(path), None)) as reader,
    ):
        for item in reader:
            if isinstance(item, Record):
                rows.append([text(value) for value in parse_record(item.data).values()])
            else:
                rejects += 1
        return Taken(rows, rejects, list(reader.notes))


def text(value: Any) -> str:
    """A value as a cell of text."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def references(path: Path) -> Iterator[Rows]:
    """The rows as other readers have them, the most careful one first."""
    if path.suffix in DOCUMENTS:
        yield from _documents(path)
        return
    try:
        found = duckdb.read_csv(str(path), all_varchar=True, null_padding=False).fetchall()
        yield [[text(value) for value in row] for row in found]
    except Exception as error:
        print(f"  DuckDB: {str(error).splitlines()[0][:100]}", file=sys.stderr)
    usual = "," if path.suffix == ".csv" else "\t"
    ways: list[dict[str, Any]] = [{"sep": None, "engine": "python"}, {"sep": usual}]
    for settings in ways:
        for encoding in ("utf-8-sig", "cp1252"):
            try:
                frame = pd.read_csv(
                    path,
                    dtype=str,
                    keep_default_na=False,
                    index_col=False,
                    encoding=encoding,
                    **settings,
                )
            except Exception:
                continue
            yield [[text(value) for value in row] for row in frame.to_numpy().tolist()]


def _documents(path: Path) -> Iterator[Rows]:
    content = path.read_text(encoding="utf-8", errors="replace")
    try:
        whole = json.loads(content)
        items = whole if isinstance(whole, list) else [whole]
    except ValueError:
        try:
            items = [json.loads(line) for line in content.splitlines() if line.strip()]
        except ValueError:
            return
    if all(isinstance(item, dict) for item in items):
        yield [[text(value) for value in item.values()] for item in items]


def judge(path: Path) -> tuple[str, str]:
    """The outcome of a file, and what is to be said of it."""
    try:
        taken = read(path)
    except UsageError as error:
        return "refused", str(error)
    found = list(references(path))
    widest = max((len(rows[0]) for rows in found if rows), default=0)
    width = len(taken.rows[0]) if taken.rows else widest
    if any(_alike(rows, taken.rows) for rows in found[:2]) or (
        width == widest and any(_alike(rows, taken.rows) for rows in found)
    ):
        return "equal", ""
    if not taken.rows and taken.rejects:
        return "refused", "all rows are rejected"
    if taken.rejects or taken.notes:
        return "told", f"{taken.rejects} rejects; {'; '.join(taken.notes)}"
    if not found:
        return "no other reader", f"{len(taken.rows)} rows"
    sizes = [(len(rows), len(rows[0]) if rows else 0) for rows in found]
    return "silently different", f"{len(taken.rows)} rows of {width}; others {sizes}"


def _alike(one: Rows, other: Rows) -> bool:
    """True for the same values; lines that are blank in all columns are rows to some readers."""
    return [row for row in one if any(row)] == [row for row in other if any(row)]


def main(folders: list[str]) -> int:
    """Judge all files in the folders; 1 if one is silently different."""
    csv.field_size_limit(2**31 - 1)
    counts: Counter[str] = Counter()
    said = io.StringIO()
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (*TABLES, *DOCUMENTS) and path.is_file():
                outcome, what = judge(path)
                counts[outcome] += 1
                if outcome != "equal":
                    said.write(f"{outcome}: {path.relative_to(folder)}: {what}\n")
    print(said.getvalue())
    print(dict(counts))
    return int(counts["silently different"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
