"""The tables of a report as values, and as text."""

from dataclasses import replace
from pathlib import Path

import pytest

from llmbatch.reports import money_tables, tables
from llmbatch.reports.report import Report
from llmbatch.reports.table import Table, TableLine
from llmbatch.reports.text.columns import columns
from tests.cli.reported import work
from tests.reports.test_markdown import attribution, share_of


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return work(tmp_path_factory.mktemp("job"), ["a", "a", "FAIL:too_long"])


def test_every_line_has_a_cell_for_each_column(report: Report) -> None:
    shared = replace(report, attribution=attribution(["team"], [share_of(["x"])]))
    for table in tables.build(shared, 5):
        assert {len(line.cells) for line in table.lines} <= {len(table.header)}, table.key


def test_tables_have_names_of_their_own(report: Report) -> None:
    keys = [table.key for table in tables.build(report, 5)]
    assert len(set(keys)) == len(keys)


def test_pending_rows_have_a_column_if_there_are_any(report: Report) -> None:
    shares = [share_of(["x"]), replace(share_of(["y"]), pending_rows=2)]
    table = money_tables.attribution(replace(report, attribution=attribution(["t"], shares)), 5)
    place = table.header.index("rows pending")
    assert [line.cells[place] for line in table.lines] == ["0", "2", "2"]
    none = money_tables.attribution(replace(report, attribution=attribution(["t"], shares[:1])), 5)
    assert "rows pending" not in none.header


def test_further_shares_are_those_after_the_largest(report: Report) -> None:
    shares = [share_of([f"t{number}"]) for number in range(7)]
    told = replace(report, attribution=attribution(["t"], shares))
    table = money_tables.further_shares(told, 3, 2)
    assert table is not None
    assert [line.name for line in table.lines] == ["t3", "t4"]
    assert money_tables.further_shares(told, 7, 2) is None


def test_only_the_newest_runs_are_listed(tmp_path: Path) -> None:
    for number in range(3):
        report = work(tmp_path, [f"{n}" for n in range(number + 1)])
    table = tables.runs(report, 2)
    assert table.title == "Runs of this job, the last 2 of 3"
    assert [line.name for line in table.lines] == ["3", "2"]


def test_columns_of_text_are_aligned_below_a_header_that_is_broken() -> None:
    lines = [TableLine(["a", "1", "x y"]), TableLine(["long name", "1,000", "z"])]
    table = Table("k", "T", ["name", "a header of several words", "end"], lines, texts=(0, 2))
    assert list(columns(table)) == [
        "             a header of",
        "name       several words  end",
        "a                      1  x y",
        "long name          1,000  z",
    ]
