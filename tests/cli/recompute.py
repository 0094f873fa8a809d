"""The figures of a report, computed once more by DuckDB from the store's tables and the output
files alone: nothing of llmbatch is imported, and none of its views is read.

    python tests/cli/recompute.py out.llmbatch out.jsonl out.errors.jsonl

prints each figure beside the one in `report.json`, and ends with 1 if two differ. The output must
be JSON Lines.
"""

import json
import sys
from pathlib import Path
from typing import Any

import duckdb

# Relative; the store keeps times to the microsecond.
CLOSE = 1e-6

PLAN = """
CREATE TEMP TABLE plan AS
SELECT row, key, kind FROM store.planned_rows WHERE plan = (SELECT max(plan) FROM store.plans)
"""
# The last attempt at a request, if no other follows and it was not taken back.
LAST = """
CREATE TEMP TABLE last AS
SELECT attempts.* FROM store.attempts AS attempts
WHERE verdict <> 'retry' AND NOT EXISTS (
    SELECT 1 FROM store.reopenings AS again
    WHERE again.key = attempts.key AND again.attempt = attempts.attempt
)
"""
COPIES = """
CREATE TEMP TABLE copies AS
SELECT key, count(*) AS n FROM plan WHERE key IS NOT NULL GROUP BY key
"""
RUNS = """
CREATE TEMP TABLE run AS
SELECT
    runs.run,
    spec ->> '$.cost.currency' AS currency,
    CAST(spec ->> '$.cost.price_per_hour' AS DOUBLE) AS by_hour,
    coalesce(CAST(spec ->> '$.cost.devices' AS INTEGER), 1) AS devices,
    CAST(spec ->> '$.cost.price_per_million.input' AS DOUBLE) / 1e6 AS input_price,
    CAST(coalesce(
        spec ->> '$.cost.price_per_million.cached', spec ->> '$.cost.price_per_million.input'
    ) AS DOUBLE) / 1e6 AS cached_price,
    CAST(spec ->> '$.cost.price_per_million.output' AS DOUBLE) / 1e6 AS output_price,
    ended_seconds - started_seconds AS seconds,
    CAST(timings ->> '$.generate' AS DOUBLE) AS generate,
    CAST(timings ->> '$.engine_start' AS DOUBLE) AS engine_start,
    coalesce((
        SELECT CAST(telemetry ->> '$.rows' AS BIGINT) FROM store.checkpoints AS done
        WHERE done.run = runs.run ORDER BY checkpoint DESC LIMIT 1
    ), 0) AS rows
FROM store.runs AS runs JOIN store.run_ends USING (run)
"""
USED = """
CREATE TEMP TABLE used AS
SELECT run.*, tries, prompt, cached, output,
    CASE WHEN input_price IS NOT NULL
        THEN (prompt - cached) * input_price + cached * cached_price + output * output_price
        ELSE by_hour * devices * seconds / 3600 END AS cost
FROM run LEFT JOIN (
    SELECT run, count(*) AS tries, sum(prompt_tokens) AS prompt, sum(cached_tokens) AS cached,
        sum(output_tokens) AS output
    FROM store.attempts GROUP BY run
) USING (run)
"""


def count_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def recompute(state: Path, output: Path, errors: Path) -> dict[str, Any]:
    """The figures by their places in the report."""
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{state / 'job.duckdb'}' AS store (READ_ONLY)")
        for statement in (PLAN, LAST, COPIES, RUNS, USED):
            db.execute(statement)
        return {**_of_files(output, errors), **_of_rows(db), **_of_runs(db), **_of_answers(db)}


def _of_files(output: Path, errors: Path) -> dict[str, Any]:
    kinds = [record["error"]["kind"] for record in count_lines(errors)]
    return {
        "counts.answered": len(count_lines(output)),
        "counts.rejected": kinds.count("rejected"),
        "counts.failed": len(kinds) - kinds.count("rejected"),
    }


def _one(db: "duckdb.DuckDBPyConnection", sql: str) -> Any:
    return (db.execute(sql).fetchone() or (None,))[0]


def _of_rows(db: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    shared = "FROM copies JOIN last USING (key) WHERE verdict = 'answered' AND n > 1"
    before = "FROM copies JOIN last USING (key) WHERE verdict = 'answered'"
    newest = "(SELECT max(run) FROM store.runs)"
    return {
        "rows_in": _one(db, "SELECT count(*) FROM plan")
        + _one(db, "SELECT count(*) FROM store.rejects"),
        "requests": _one(db, "SELECT count(*) FROM copies"),
        "duplicates.rows": _one(db, "SELECT coalesce(sum(n - 1), 0) FROM copies"),
        "duplicates.answered": _one(db, f"SELECT coalesce(sum(n - 1), 0) {shared}"),
        "duplicates.prompt_tokens": _one(
            db, f"SELECT coalesce(sum((n - 1) * prompt_tokens), 0) {shared}"
        ),
        "reused": _one(db, f"SELECT coalesce(sum(n), 0) {before} AND run < {newest}"),
        "costs.savings.reuse.prompt_tokens": _one(
            db, f"SELECT coalesce(sum(prompt_tokens), 0) {before} AND run < {newest}"
        ),
    }


def _of_runs(db: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    names = ("rows", "tries", "prompt", "cached", "output", "seconds", "engine_start", "cost")
    found: dict[str, Any] = {}
    told = {"tries": "requests", "prompt": "prompt_tokens", "cached": "cached_tokens"}
    told |= {"output": "output_tokens", "engine_start": "engine_start_seconds"}
    newest = "WHERE cost IS NOT NULL ORDER BY run DESC LIMIT 1"
    currency = _one(db, f"SELECT coalesce(currency, 'USD') FROM used {newest}")
    paid = f"cost IS NOT NULL AND coalesce(currency, 'USD') = '{currency}'"
    for name in names:
        where = f"WHERE {paid}" if name == "cost" else ""
        found[f"all_runs.{told.get(name, name)}"] = _one(
            db, f"SELECT sum({name}) FROM used {where}"
        )
        last = "ORDER BY run DESC LIMIT 1"
        found[f"last_run.{told.get(name, name)}"] = _one(
            db, f"SELECT coalesce({name}, {'NULL' if name == 'cost' else 0}) FROM used {last}"
        )
    found["all_costs.per_1000_rows"] = _one(
        db, f"SELECT 1000 * sum(cost) / nullif(sum(rows), 0) FROM used WHERE {paid}"
    )
    unpriced = db.execute(f"SELECT run FROM used WHERE NOT ({paid}) ORDER BY run").fetchall()
    if currency is None:
        unpriced = db.execute("SELECT run FROM used ORDER BY run").fetchall()
    found["all_runs.unpriced_runs"] = [run for (run,) in unpriced]
    return found


def _of_answers(db: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    answers = "FROM copies JOIN last USING (key) WHERE verdict = 'answered'"
    return {
        "answers.rows": _one(db, f"SELECT sum(n) {answers}"),
        "answers.distinct": _one(db, f"SELECT count(DISTINCT answer) {answers}"),
        "answers.longest.characters": _one(db, f"SELECT max(length(answer)) {answers}"),
        "answers.most_common.rows": _one(
            db, f"SELECT max(rows) FROM (SELECT sum(n) AS rows {answers} GROUP BY answer)"
        ),
    }


def told(report: dict[str, Any], place: str) -> Any:
    """The figure at a place of the report."""
    if place.startswith("costs.savings."):
        _, _, by, name = place.split(".")
        return next(saving[name] for saving in report["costs"]["savings"] if saving["by"] == by)
    value: Any = report
    for part in place.split("."):
        value = None if value is None else value[part]
    return value


def differ(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        if one is None or other is None:
            return one is not other
        return bool(abs(one - other) > CLOSE * max(1.0, abs(one), abs(other)))
    return bool(one != other)


def compare(state: Path, output: Path, errors: Path) -> list[tuple[str, Any, Any]]:
    """Each figure: its place, as it is computed here, and as it is told."""
    report = json.loads((state / "report.json").read_bytes())
    found = recompute(state, output, errors)
    return [(place, value, told(report, place)) for place, value in found.items()]


def main(arguments: list[str]) -> int:
    lines = compare(*map(Path, arguments))
    wrong = 0
    for place, here, there in lines:
        wrong += differ(here, there)
        mark = "DIFFERS" if differ(here, there) else "same"
        print(f"{mark:8} {place:36} {here!s:>20} {there!s:>20}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
