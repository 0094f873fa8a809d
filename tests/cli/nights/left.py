"""All that a night leaves, and what differs between two of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyarrow import parquet

from llmbatch.store import results
from llmbatch.store.opening import open_store
from tests.cli.nights.given import STATE

FIGURES = (
    "rows_in", "counts", "answers", "calibration", "flags", "job_signs", "requests", "samples",
    "control_token_rows", "ranking", "cut_answers", "failures", "skips", "rejects", "input_notes",
)  # fmt: skip
"""The parts of a report that are about rows and answers, and not about runs, time and money."""
TABLES = {
    "rows": "row, line, id, data, file",
    "rejects": "line, reason, raw, file",
    # Not the keys: answers may be found under those of another limit for their tokens.
    "planned_rows": "row, planned_rows.kind, message, planned_rows.sample, samples, messages",
    "requests": "copies, messages, body, text_bytes, sample, row_share, stage",
    "flags": "row, origin, name, detail",
}

BESIDE = {
    "flags": "JOIN current_plan USING (plan)",
    "planned_rows": "LEFT JOIN requests USING (key)",
}


def left(folder: Path, output: str, code: int) -> dict[str, Any]:
    """All that a run left, without what its history decides."""
    found: dict[str, Any] = {"code": code}
    for path in sorted(folder.glob("*.*")):
        if path.name.startswith(output.partition(".")[0] + ".") and path.is_file():
            found[path.name] = list(_lines(path))
    with open_store(folder / STATE / "job.duckdb", read_only=True) as db:
        for table, columns in TABLES.items():
            beside = BESIDE.get(table, "")
            found[table] = sorted(db.execute(f"SELECT {columns} FROM {table} {beside}"), key=repr)
        found["violations"] = {
            name: count for name, count in results.violations(db).items() if count
        }
    report = json.loads((folder / STATE / "report.json").read_bytes())
    found["report"] = {name: report[name] for name in FIGURES}
    found["report"]["duplicates"] = {
        name: report["duplicates"][name] for name in ("rows", "answered")
    }
    return found


HISTORY = ("run", "attempts", "made_by")
"""The columns of `--meta` that say how a row came to its answer, and a part of an error."""


def _lines(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        for row in parquet.read_table(path).to_pylist():
            yield {name: each for name, each in row.items() if name not in HISTORY}
        return
    for line in path.read_text().splitlines():
        if path.suffix != ".jsonl":
            yield line
            continue
        record = json.loads(line)
        for part in (record, record.get("error")):
            for name in HISTORY if isinstance(part, dict) else ():
                part.pop(name, None)
        yield record


def differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    """The names of what differs, with both values, shortened."""
    return [
        f"{name}:\n    {_odd(one.get(name), two.get(name))}"
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name)
    ]


def _odd(one: Any, two: Any) -> str:
    if isinstance(one, dict) and isinstance(two, dict):
        return "; ".join(differences(one, two))
    if isinstance(one, list) and isinstance(two, list):
        only = (
            [each for each in one if each not in two][:3],
            [each for each in two if each not in one][:3],
        )
        return f"{len(one)}: {only[0]!r} | {len(two)}: {only[1]!r}"[:600]
    return f"{one!r} | {two!r}"[:600]
