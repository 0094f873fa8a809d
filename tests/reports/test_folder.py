"""All jobs of a folder: what they cost, and what is said of those that cannot be asked."""

import json
import math
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core import clock, units
from llmbatch.core.clock import utc
from llmbatch.core.errors import UsageError
from llmbatch.job import finder
from llmbatch.job.cost import CostSpec, TokenPrice
from llmbatch.job.folder import JobPaths
from llmbatch.reports import folder as reports_folder
from llmbatch.reports import folder_words, renderers
from llmbatch.reports.folder import FolderReport, JobLine
from llmbatch.reports.report import Report
from llmbatch.reports.text import folder as text_folder
from llmbatch.store.lock import JobLock
from llmbatch.store.opening import open_store
from tests.accounting.test_usage import RUN
from tests.cli.reported import work
from tests.reports.test_markdown import tables

PAID = {"price_per_hour": 3600.0}
PRICE = TokenPrice(input=1, output=2)


def build(folder: Path, **changes: Any) -> FolderReport:
    return reports_folder.build(folder, finder.find_below(folder), **changes)


def job(folder: Path, rows: int = 2, **changes: Any) -> Report:
    """A job in a folder of its own, as `FOLDER/out.llmbatch`."""
    folder.mkdir(parents=True, exist_ok=True)
    return work(folder, [f"row {number}" for number in range(rows)], **changes)


def named(seen: FolderReport, name: str) -> JobLine:
    (line,) = [line for line in seen.jobs if line.job == name]
    return line


def test_jobs_are_found_at_any_depth_and_under_any_name(tmp_path: Path) -> None:
    job(tmp_path / "a")
    job(tmp_path / "b/c/d")
    job(tmp_path / "e", state=str(tmp_path / "kept"))
    found = finder.find_below(tmp_path).jobs
    names = [path.state.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a/out.llmbatch", "b/c/d/out.llmbatch", "kept"]
    assert [line.job for line in build(tmp_path / "kept").jobs] == ["kept"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    job(tmp_path / "a")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert len(finder.find_below(tmp_path).jobs) == 1
    assert len(finder.find_below(tmp_path / "again").jobs) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into any folder")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    job(tmp_path / "a")
    (tmp_path / "a").chmod(0)
    try:
        seen = build(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o700)
    assert seen.closed == [f"{tmp_path / 'a'}: Permission denied"]


def test_what_is_no_job_is_none(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("of somebody")
    (tmp_path / "empty.llmbatch").mkdir()
    seen = build(tmp_path)
    assert (seen.jobs, seen.total.runs) == ([], 0)
    assert text_folder.render(seen) == f"0 jobs below {tmp_path}\n"
    with pytest.raises(UsageError, match="is not a folder"):
        finder.find_below(tmp_path / "journal")


def test_a_line_has_the_figures_of_the_job(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    job(folder, 3, cost=PAID)
    report = job(folder, 5, cost=PAID)
    (line,) = build(tmp_path).jobs
    assert (line.state, line.note, line.model) == ("ended", None, "m")
    assert (line.rows_in, line.counts) == (5, report.counts)
    usage, spent = report.all_runs, line.spent
    assert spent is not None
    assert (spent.runs, spent.rows, spent.currency) == (2, 5, "USD")
    assert (spent.prompt_tokens, spent.output_tokens) == (usage.prompt_tokens, usage.output_tokens)
    assert spent.cost == pytest.approx(usage.cost)
    assert spent.cost_per_1000_rows == pytest.approx(usage.cost_per_1000_rows)
    assert spent.device_hours == pytest.approx(usage.device_hours)
    assert line.last_run is not None
    assert (line.last_run.run, line.last_run.exit_code) == (2, 0)
    assert line.last_run.reason == report.runs[-1].reason


def test_the_costliest_is_first_and_currencies_are_not_added(tmp_path: Path) -> None:
    job(tmp_path / "cheap", cost={"price_per_hour": 1.0})
    job(tmp_path / "dear", cost={"price_per_hour": 1e6})
    job(tmp_path / "euro", cost={"price_per_hour": 1e9, "currency": "EUR"})
    job(tmp_path / "free", cost={"price_per_hour": 0.0})
    job(tmp_path / "unpriced")
    seen = build(tmp_path)
    names = [line.job.partition("/")[0] for line in seen.jobs]
    assert names == ["euro", "dear", "cheap", "free", "unpriced"]
    assert [amount.currency for amount in seen.total.amounts] == ["EUR", "USD"]
    assert (seen.total.cost, seen.total.unpriced_runs) == (None, 1)
    shown = text_folder.render(seen).splitlines()
    assert shown[1].startswith("  EUR ")
    assert shown[2].startswith("  USD ")
    assert shown[3].startswith("  without a price: 1 run, 0.000")


def test_runs_without_a_price_are_not_taken_for_free(tmp_path: Path) -> None:
    job(tmp_path, 2, cost=PAID)
    report = job(tmp_path, 4)
    assert report.all_runs.cost == report.runs[0].cost
    assert report.all_runs.unpriced_runs == [2]
    (line,) = build(tmp_path).jobs
    assert line.spent is not None
    assert line.spent.cost == pytest.approx(report.all_runs.cost)
    assert line.spent.cost_per_1000_rows == pytest.approx(report.all_runs.cost_per_1000_rows)
    (paid,) = line.spent.amounts
    assert paid.cost == pytest.approx(report.runs[0].cost)
    assert paid.rows == 2
    assert line.spent.unpriced_hours == pytest.approx(report.runs[1].device_hours)
    assert folder_words.state(line) == "finished, exit code 0; 1 run without a price"


def test_a_price_can_be_given_later(tmp_path: Path) -> None:
    report = job(tmp_path)
    (line,) = build(tmp_path, cost=CostSpec(price_per_hour=2.0, currency="EUR")).jobs
    assert line.spent is not None
    assert line.spent.currency == "EUR"
    assert line.spent.cost == pytest.approx(2 * report.all_runs.device_hours)


def test_only_runs_since_a_time_are_counted(tmp_path: Path) -> None:
    old = job(tmp_path / "a", cost=PAID)
    job(tmp_path / "idle", cost=PAID)
    since = utc(clock.now())
    report = job(tmp_path / "a", 3, cost=PAID)
    (tmp_path / "torn.llmbatch").mkdir()
    (tmp_path / "torn.llmbatch/job.duckdb").write_bytes(b"torn")
    seen = build(tmp_path, since=since)
    assert (seen.idle, [line.job for line in seen.jobs]) == (1, ["a/out.llmbatch", "torn.llmbatch"])
    spent = named(seen, "a/out.llmbatch").spent
    assert spent is not None
    assert (spent.runs, spent.rows) == (1, 1)
    assert seen.total.amounts[0].cost == pytest.approx(report.runs[1].cost)
    assert "1 job without a run since then: left out" in text_folder.render(seen)
    later = build(tmp_path, since=since + timedelta(days=1))
    assert (later.idle, later.total.runs) == (2, 0)
    assert build(tmp_path, since=old.runs[0].started_at).total.runs == 3


def test_what_cannot_be_read_is_a_line_with_its_reason(tmp_path: Path) -> None:
    report = job(tmp_path / "sound", cost=PAID)
    for name in ("newer", "older", "lost"):
        job(tmp_path / name)
    with open_store(tmp_path / "newer/out.llmbatch/job.duckdb") as db:
        db.execute("INSERT INTO migrations VALUES (999, ?)", [utc(clock.now())])
    with open_store(tmp_path / "older/out.llmbatch/job.duckdb") as db:
        db.execute("DELETE FROM migrations WHERE version > 1")
    (tmp_path / "lost/out.llmbatch/job.duckdb").unlink()
    (tmp_path / "torn.llmbatch").mkdir()
    (tmp_path / "torn.llmbatch/job.duckdb").write_bytes(b"torn")
    open_store(_folder(tmp_path / "new.llmbatch") / "job.duckdb").close()
    seen = build(tmp_path)
    assert (len(seen.jobs), seen.unread) == (6, 4)
    assert seen.total.amounts[0].cost == pytest.approx(report.all_runs.cost)
    notes = {
        "newer/out.llmbatch": "newer llmbatch",
        "older/out.llmbatch": "run the job once to upgrade it",
        "lost/out.llmbatch": "llmbatch repair",
        "torn.llmbatch": "cannot be opened",
    }
    for name, words in notes.items():
        line = named(seen, name)
        assert (line.state, line.spent, line.counts) == ("unread", None, None)
        assert words in (line.note or "")
        assert "\n" not in (line.note or "")
    assert named(seen, "new.llmbatch").state == "new"
    assert "4 jobs that cannot be read: not counted" in text_folder.render(seen)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_running_job_tells_where_it_stands_and_what_was_spent_before(tmp_path: Path) -> None:
    report = job(tmp_path / "a", 3, cost=PAID)
    state = JobPaths(tmp_path / "a/out.llmbatch")
    state.report.write_text(renderers.render(report, "json"))
    view = {"phase": "generating", "progress": {"rows": 1200, "rows_done": 600}}
    with JobLock(state.lock):
        state.status.write_text(json.dumps(view))
        seen = build(tmp_path)
        given = build(tmp_path, cost=CostSpec(price_per_million=PRICE))
    (line,) = seen.jobs
    assert (line.state, line.note) == ("running", "generating: 600 of 1,200 rows")
    assert (line.counts, line.last_run, seen.running) == (None, None, 1)
    assert line.spent is not None
    assert line.spent.cost == pytest.approx(report.all_runs.cost)
    assert "running: what the present run takes is not counted" in text_folder.render(seen)
    used = report.all_runs
    assert given.total.cost == pytest.approx((used.prompt_tokens + 2 * used.output_tokens) / 1e6)


@pytest.mark.parametrize("kept", [b"", b"{", b'{"version": 2, "runs": []}', b"[]", b'"x"'])
def test_a_running_job_without_a_report_of_ours(tmp_path: Path, kept: bytes) -> None:
    job(tmp_path, cost=PAID)
    state = JobPaths(tmp_path / "out.llmbatch")
    state.report.write_bytes(kept)
    state.status.unlink()
    with JobLock(state.lock):
        (line,) = build(tmp_path).jobs
    assert (line.state, line.note, line.spent) == ("running", "starting", None)


@pytest.mark.parametrize("style", ["text", "markdown", "html"])
def test_every_form_has_every_job(tmp_path: Path, style: str) -> None:
    for name in ("one", "two", "three"):
        job(tmp_path / name, cost=PAID)
    seen = build(tmp_path)
    shown = renderers.render(seen, style).replace("\N{NO-BREAK SPACE}", " ")
    for line in seen.jobs:
        for cell in folder_words.cells(line):
            assert cell in shown
    assert folder_words.heading(seen) in shown
    (paid,) = seen.total.amounts
    assert units.money(paid.cost, "USD") in shown


def test_the_columns_of_the_text_are_straight(tmp_path: Path) -> None:
    job(tmp_path / "short", cost={"price_per_hour": 1e7})
    job(tmp_path / "a much longer name", 12)
    _, _, _, blank, header, *lines = text_folder.render(build(tmp_path)).splitlines()
    assert blank == ""
    place = header.index("  job  ") + 2
    assert [line[place - 2 : place].strip() for line in lines] == ["", ""]
    assert lines[0][place:].startswith("short/out.llmbatch ")
    assert lines[1][place:].startswith("a much longer name/out.llmbatch ")


def test_a_hostile_name_breaks_nothing(tmp_path: Path) -> None:
    name = "a|b `c` <script>\n\x1b[2J"
    job(tmp_path / name, cost=PAID)
    seen = build(tmp_path)
    assert seen.jobs[0].job == f"{name}/out.llmbatch"
    text = renderers.render(seen, "text")
    assert "\x1b" not in text
    assert len(text.splitlines()) == 5
    markdown = renderers.render(seen, "markdown")
    (found,) = tables(markdown)
    assert {len(row) for row in found} == {len(folder_words.HEADER)}
    assert "<script>" not in markdown
    assert "<script>" not in renderers.render(seen, "html")


@given(st.lists(st.tuples(st.sampled_from(["USD", "EUR", None]), st.integers(0, 10**6))))
def test_the_sums_hold(paid: list[tuple[str | None, int]]) -> None:
    """The lines add up to the totals, in each currency."""
    runs = [
        replace(
            RUN,
            seconds=float(seconds),
            devices=1,
            price_per_hour=None if currency is None else 1.0,
            currency=currency or "USD",
        )
        for currency, seconds in paid
    ]
    spent = reports_folder.sum_up(runs)
    for amount in spent.amounts:
        seconds = [n for currency, n in paid if currency == amount.currency]
        assert math.isclose(amount.cost, sum(seconds) / 3600)
        assert math.isclose(amount.device_hours, sum(seconds) / 3600)
    hours = sum(amount.device_hours for amount in spent.amounts) + spent.unpriced_hours
    assert math.isclose(hours, spent.device_hours)
    assert spent.unpriced_runs == sum(currency is None for currency, _ in paid)
    assert spent.cost is None or len(spent.amounts) == 1
