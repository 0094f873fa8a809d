"""Markdown that shows the figures of the report, with any values."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.accounting.attribution import Attribution, Share
from llmbatch.accounting.costs import Listed
from llmbatch.accounting.device_share import Cause, DeviceShare
from llmbatch.core import units
from llmbatch.reports import wording
from llmbatch.reports.markdown import job
from llmbatch.reports.markdown.markup import escaped, table
from llmbatch.reports.report import FailureLine, Report
from llmbatch.reports.table import Table, TableLine
from tests.cli.reported import work

HOSTILE = (
    "a|b \\| c `code` <script>alert(1)</script>\n## d &amp; _e_ **f** [g](http://h) ~~i~~ $j$ @k"
)
SPECIAL = set("\\`*[]<>|~$@")


def cells(line: str) -> list[str]:
    """Of a line of a table, as GitHub splits it: at each bar without a backslash before it."""
    inner = line.removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def tables(text: str) -> Iterator[list[list[str]]]:
    """All tables: header, marks and rows as cells."""
    block: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(cells(line))
        elif block:
            yield block
            block = []


def under(text: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, as a reader sees them."""
    part = text.split(f"### {heading}", 1)[1].split("\n### ", maxsplit=1)[0]
    (found,) = tables(part)
    return [[html.unescape(cell) for cell in row] for row in found[2:]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    rows = ["a", "a", "b", "FAIL:too_long", "LENGTH c d"]
    folder = tmp_path_factory.mktemp("job")
    work(folder, rows, cost={"price_per_hour": 3600.0})
    return work(folder, [*rows, "e f g"], cost={"price_per_hour": 3600.0})


def share_of(values: list[str | None]) -> Share:
    return Share(
        values=values,
        note=None,
        rows=1,
        pending_rows=0,
        computed_prompt_tokens=2.0,
        output_tokens=3.0,
        device_seconds=4.0,
        cost=0.01,
        share=0.5,
    )


def attribution(by: list[str], shares: list[Share]) -> Attribution:
    return Attribution(by=by, total=0.02, device_seconds=8.0, shares=shares)


def hostile(report: Report) -> Report:
    """The report with text in it that somebody wrote who means ill."""
    shares = [share_of([HOSTILE, None]), replace(share_of([None, None]), note=HOSTILE)]
    cause = Cause(HOSTILE, 1.0, 0.5, HOSTILE)
    values: dict[str, Any] = {
        "input": HOSTILE,
        "output": HOSTILE,
        "model": HOSTILE,
        "currency": "<b>|",
        "failures": [FailureLine(HOSTILE, 1, HOSTILE, HOSTILE)],
        "runs": [replace(run, reason=HOSTILE, currency="|") for run in report.runs],
        "attribution": attribution([HOSTILE, "team"], shares),
        "limit": DeviceShare(HOSTILE, HOSTILE, 1e12, 1e9, 1.0, 1.0, 1.0, 1.0, 2.0, 0.5, [cause]),
        "costs": replace(report.costs, listed=Listed(HOSTILE, 0.15, 0.6, None, 1.0, 2.0)),
    }
    return replace(report, **values)


def test_every_row_of_a_table_has_as_many_cells_as_its_header(report: Report) -> None:
    for told in (report, hostile(report)):
        found = list(tables(job.render(told)))
        assert len(found) >= 5
        for block in found:
            assert {len(row) for row in block} == {len(block[0])}
            assert all(re.fullmatch(r":--|--:", mark) for mark in block[1])


def test_hostile_values_are_text(report: Report) -> None:
    text = job.render(hostile(report))
    assert "<" not in text
    assert "`" not in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {report.counts.answered:,} of {report.rows_in:,} rows answered"
    ]
    seen = " ".join(HOSTILE.split())
    (row,) = under(text, "Failed rows")
    assert row[1] == seen
    assert under(text, "Who pays")[0][0] == f"{wording.value(HOSTILE)} / (none)"
    assert under(text, "Against the limit")[1][0] == seen


@given(st.text())
def test_what_is_escaped_is_one_line_that_shows_the_value(value: str) -> None:
    told = escaped(value)
    assert told.isprintable()
    assert not SPECIAL & set(told.replace("&#", ""))
    shown = "".join(mark if mark.isprintable() else " " for mark in value)
    assert html.unescape(told) == " ".join(shown.split())


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=4))
def test_any_cells_stay_in_their_places(values: list[list[str]]) -> None:
    lines = table(Table("x", "X", ("a", "b", "c"), [TableLine(row) for row in values]))
    assert len(lines) == 2 + len(values)
    assert {len(cells(line)) for line in lines} == {3}


def test_a_long_value_is_cut(report: Report) -> None:
    assert escaped("x" * 50, 10) == "x" * 9 + "…"
    assert escaped("|" * 10, 10) == "&#124;" * 10
    failure = replace(report.failures[0], example="y" * 5000)
    assert len(job.render(replace(report, failures=[failure]))) < 8000


def test_names_keep_their_underscores() -> None:
    assert escaped("my_model_v2") == "my_model_v2"
    assert escaped("_a_") == "&#95;a&#95;"


def test_it_says_what_the_report_says(report: Report) -> None:
    text = job.render(report)
    assert "Last run: finished, 2 rows not answered, none new (exit code 3)." in text
    counts = next(tables(text))
    assert counts[0][:5] == ["rows in", "answered", "failed", "rejected", "skipped"]
    assert counts[2] == ["6", "4", "2", "0", "0", "0", "3", "1"]
    assert sorted((row[0], row[1]) for row in under(text, "Failed rows")) == [
        ("1", "too_long"),
        ("1", "truncated"),
    ]
    figures = {row[0]: row[1:] for row in under(text, "What it cost")}
    assert report.costs.physical is not None
    assert report.all_costs.physical is not None
    assert figures["**Paid**"] == [
        units.digits(report.costs.physical),
        units.digits(report.all_costs.physical),
    ]
    done = {row[0]: row[1:] for row in under(text, "What was done")}
    assert done["prompt tokens"] == ["3", f"{report.all_runs.prompt_tokens}"]
    assert done["tokens of failed attempts"] == ["0", "10"]
    phases = {row[0]: row for row in under(text, "Where the time went")}
    assert phases["**last run**"][3] == figures["**Paid**"][0]
    assert {"prefill", "decode", "engine start", "export"} <= set(phases)
    assert [row[0] for row in under(text, "Runs")] == ["2", "1"]


def test_savings_stand_beside_what_was_paid(tmp_path: Path) -> None:
    text = job.render(work(tmp_path, ["a b", "a b", "c"], cost={"price_per_hour": 3600.0}))
    done = {row[0]: row[1] for row in under(text, "What was done")}
    assert done["prompt + output tokens saved by duplicates"] == "2 + 2"
    costs = {row[0]: row[1] for row in under(text, "What it cost")}
    assert {"**Paid**", "Saved by duplicates", "**Without these savings**"} <= set(costs)


def test_without_a_price_it_says_how_to_give_one(tmp_path: Path) -> None:
    text = job.render(work(tmp_path, ["a"]))
    assert "give --price-per-hour or --price-per-million" in text
    assert "| **Paid** |" not in text
    assert "USD" not in text.replace("cost, USD", "")


def test_only_the_largest_shares_are_shown(report: Report) -> None:
    shares = [share_of([f"t{number}"]) for number in range(25)]
    told = replace(report, attribution=attribution(["team"], shares))
    text = job.render(told)
    assert len(under(text, "Who pays, by team")) == 22


def test_engine_deaths_are_told_with_a_reason(tmp_path: Path) -> None:
    engine = {"die_after": 2, "die_times": 1}
    text = job.render(work(tmp_path, ["a", "b", "c", "d"], engine=engine))
    events = [row[1] for row in under(text, "Engines")]
    assert "engine died: scripted after 2 answers" in events
