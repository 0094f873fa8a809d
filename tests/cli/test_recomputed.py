"""The report's figures, recomputed from the output files by SQL that knows nothing of the store."""

import json
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.core import money
from tests.cli.command import ENGINE, Job, llmbatch

SCRIPT = Path(__file__).with_name("recomputed.sql")
SETUP = ("tried", "requests", "runs")
LISTED = "0.5/1.5/0.05"
BY_TIME = ("--price-per-hour", "1800", "--devices", "2")
BY_TOKEN = ("--price-per-million", "150/600/75")


def table(rows: int) -> str:
    """Rows of some teams, with duplicates, requests that need a retry, some that fail, and some
    that hold nothing."""
    draw = random.Random(5)
    lines = []
    for number in range(rows):
        words = [f"w{draw.randrange(9)}" for _ in range(draw.randrange(1, 30))]
        mark = {3: "LENGTH:7", 5: "LENGTH:90", 8: "FAIL:too_long"}.get(number % 20, "")
        if number % 4 == 0:
            words, mark = ["the same", str(number % 3)], "LENGTH:6"
        record = {
            "id": f"{number:05}",
            "team": draw.choice(["red", "blue", "00123", 7, None]),
            "customer": draw.choice(["a", "b"]),
            "t": f"{mark} {' '.join(words)}",
        }
        if number % 20 == 13:
            record["t"] = None
        lines.append(json.dumps(record))
    return "\n".join([*lines, "not JSON"]) + "\n"


def work(folder: Path, *price: str) -> tuple[dict[str, Any], "duckdb.DuckDBPyConnection"]:
    """Three runs, the last of them over more rows, none of which tries a request of another: the
    report, and the tables of the script."""
    job = Job(folder)
    engine = ["slots=4", "step_delay=0.001", "prefill_delay=0.0002", "cached_words=3"]
    pairs = [part for option in engine for part in ("--engine-arg", option)]
    usual = ["run", "-q", "in.jsonl", "-o", "out.jsonl", "-m", "m", "-p", "Say {{ t }}", "--meta"]
    usual += ["--keep", "skipped"]
    usual += ["--engine", ENGINE, *pairs, "--max-tokens", "4", *price, "--listed-price", LISTED]
    usual += ["--attribute-by", "team,customer"]
    for rows, more, code in ((120, ("--max-rows", "40"), 4), (120, (), 3), (200, (), 3)):
        job.write("in.jsonl", table(rows))
        done = llmbatch(folder, *usual, *more)
        assert done.code == code, done.stderr
    connection = duckdb.connect()
    # The script's files are those of the folder.
    connection.execute("SET file_search_path = ?", [str(folder)])
    for name in SETUP:
        connection.execute(statements()[name])
    return job.report(), connection


def statements() -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)$", SCRIPT.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def asked(connection: "duckdb.DuckDBPyConnection", name: str) -> list[dict[str, Any]]:
    found = connection.execute(statements()[name])
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, record, strict=True)) for record in found.fetchall()]


@pytest.mark.parametrize("price", [BY_TIME, BY_TOKEN], ids=["by time", "by token"])
def test_the_report_follows_from_the_output_files(tmp_path: Path, price: tuple[str, ...]) -> None:
    report, script = work(tmp_path, *price)
    with script:
        (rows,) = asked(script, "rows")
        assert rows == {name: report["counts"][name] for name in rows}
        assert sum(rows.values()) == report["rows_in"] == 201
        assert rows["skipped"] == 10
        _tokens(report, script)
        _costs(report, script)
        _savings(report, script)
        _shares(report, script)


def _tokens(report: dict[str, Any], script: "duckdb.DuckDBPyConnection") -> None:
    found = asked(script, "tokens")
    assert len(found) == len(report["runs"]) == 3
    for line, run in zip(found, report["runs"], strict=True):
        assert line == {name: run[name] for name in line}
    for line in asked(script, "rows_by_run"):
        # Rows that came later may have the answer of an earlier run.
        assert line["rows"] >= report["runs"][line["run"] - 1]["rows"] > 0
    assert report["all_runs"]["rows"] == sum(run["rows"] for run in report["runs"])
    for name in found[0].keys() - {"run"}:
        assert report["all_runs"][name] == sum(line[name] for line in found) > 0


def _costs(report: dict[str, Any], script: "duckdb.DuckDBPyConnection") -> None:
    (found,) = asked(script, "costs")
    told = report["all_costs"]
    for name in ("physical", "wasted"):
        assert told[name] == pytest.approx(found[name]), name
        assert told[name] > 0
    settled = report["all_runs"]["rows"]
    assert told["per_1000_rows"] == pytest.approx(1000 * found["physical"] / settled)
    assert told["per_million"]["total"] == pytest.approx(found["per_million"])
    assert told["per_million"]["output"] == pytest.approx(found["per_million_output"])
    assert told["listed"]["cost"] == pytest.approx(found["listed"])
    assert told["weights_measured"]


def _savings(report: dict[str, Any], script: "duckdb.DuckDBPyConnection") -> None:
    (costs,), (duplicates,), (reuse,) = (
        asked(script, name) for name in ("costs", "duplicates", "reuse")
    )
    every = {saving.pop("by"): saving for saving in report["all_costs"]["savings"]}
    last = {saving.pop("by"): saving for saving in report["costs"]["savings"]}
    assert every["duplicates"] == pytest.approx(duplicates)
    assert report["duplicates"]["cost"] == pytest.approx(duplicates["cost"])
    assert every["prefix cache"]["cost"] == pytest.approx(costs["prefix_cache"])
    assert last["reuse"] == pytest.approx(reuse)
    assert min(duplicates["prompt_tokens"], reuse["output_tokens"], costs["prefix_cache"]) > 0
    virtual = costs["physical"] + costs["prefix_cache"] + duplicates["cost"]
    assert report["all_costs"]["virtual"] == pytest.approx(virtual)


def _shares(report: dict[str, Any], script: "duckdb.DuckDBPyConnection") -> None:
    told = report["attribution"]
    total = Decimal(repr(told["total"]))
    unit = money.quantum(total)
    assert total == money.rounded(report["all_costs"]["physical"])
    found = {(line["team"], line["customer"]): line for line in asked(script, "shares")}
    assert len(found) == 10
    assert {None, "7", "00123"} <= {team for team, _ in found}
    shares = {tuple(share["values"]): share for share in told["shares"]}
    assert shares.keys() == found.keys()
    for values, line in found.items():
        share = shares[values]
        assert share["note"] is None
        assert share["rows"] == line["rows"]
        assert share["computed_prompt_tokens"] == pytest.approx(line["computed_prompt_tokens"])
        assert share["output_tokens"] == pytest.approx(line["output_tokens"])
        assert abs(share["cost"] - line["cost"]) <= float(unit) * 1.001, values
    assert sum(Decimal(repr(share["cost"])) for share in told["shares"]) == total
