"""The views of a run for a person while it works."""

import io
import re
from dataclasses import asdict, replace

import pytest

from llmbatch.cli import live_view, narration
from llmbatch.pipeline.monitoring.progress import Progress

HALF = Progress(
    rows=2000,
    rows_done=1000,
    rows_reused=500,
    failed=7,
    output_tokens=12_000,
    prompt_tokens=90_000,
    seconds=10.0,
)

PAID = replace(
    HALF, cache_usage=0.43, running=64, waiting=64, cost=0.12, projected_cost=0.5, currency="USD"
)


def test_what_is_known_of_cache_and_cost_is_in_the_line() -> None:
    assert narration.line(PAID) == (
        "1,000/2,000 rows (50%), 50.0 rows/s, 1,200 output tokens/s, cache 43%, "
        "USD 0.12 of about 0.50, 7 failed, 20 s left"
    )
    assert "USD 0.12, 7 failed" in narration.line(PAID, ended=True)


@pytest.mark.parametrize(
    ("room", "text"),
    [
        (52, "1,200 tok/s, cache 43%, USD 0.12 of ~0.50, 7 failed"),
        (50, "1,200 tok/s, USD 0.12 of ~0.50, 7 failed"),
        (39, "1,200 tok/s, USD 0.12, 7 failed"),
        (0, "1,200 tok/s, 7 failed"),
    ],
)
def test_beside_a_bar_there_is_what_has_room(room: int, text: str) -> None:
    assert narration.beside(PAID, room) == text


def test_a_hold_is_shown_while_the_run_goes_on() -> None:
    held = replace(PAID, held_back_seconds=75.0)
    assert ", 1,200 output tokens/s, held back for 1 min 15 s, cache 43%, " in narration.line(held)
    assert "held back" not in narration.line(held, ended=True)
    # The bar has it in place of the speed, as there is little room.
    assert narration.beside(held, 0) == "held back for 1 min 15 s, 7 failed"


@pytest.mark.parametrize(("state", "is_shown"), [("running", True), ("killed", False)])
def test_the_status_of_a_run_has_its_hold(state: str, is_shown: bool) -> None:
    view = {
        "phase": "generating",
        "pid": 1,
        "host": "here",
        "started_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:01+00:00",
        "age_seconds": 0.1,
        "state": state,
        "progress": asdict(replace(PAID, held_back_seconds=75.0)),
    }
    assert any(
        "64 waiting, held back for 1 min 15 s" in line for line in live_view.lines(view)
    ) is (is_shown)


def test_nothing_is_said_of_what_nobody_knows() -> None:
    assert narration.beside(HALF, 100) == "1,200 tok/s, 7 failed"
    spent = replace(PAID, projected_cost=None, cache_usage=None)
    assert narration.beside(spent, 100) == "1,200 tok/s, USD 0.12, 7 failed"


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_a_bar_keeps_its_line(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    class Terminal(io.StringIO):
        """One of so many columns."""

        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("llmbatch.cli.console.stderr", lambda: terminal)
    monkeypatch.setattr(narration, "_columns", lambda: columns)
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (columns, 24))
    bar = narration.Bar()
    many = replace(PAID, rows=1_000_000, rows_reused=0)
    for done in range(0, 1_000_000, 250_000):
        bar.progress(replace(many, rows_done=done))
        bar._bar.refresh()
    bar.close()
    drawn = re.split(r"[\r\n]", terminal.getvalue())
    assert max(len(line) for line in drawn) <= columns
    assert sum("7 failed" in line for line in drawn) >= 4


def test_progress_in_one_line() -> None:
    assert narration.line(HALF) == (
        "1,000/2,000 rows (50%), 50.0 rows/s, 1,200 output tokens/s, 7 failed, 20 s left"
    )


def test_rows_of_earlier_runs_are_not_part_of_the_rate() -> None:
    assert (HALF.rows_per_second, HALF.eta_seconds) == (50.0, 20.0)


@pytest.mark.parametrize(
    "progress",
    [
        Progress(10, 0, 0, 0, 0, 0, 0.0),
        Progress(10, 4, 4, 0, 0, 0, 5.0),
        Progress(0, 0, 0, 0, 0, 0, 0.0),
    ],
)
def test_there_is_no_guess_before_there_is_a_rate(progress: Progress) -> None:
    assert progress.eta_seconds is None
    assert "left" not in narration.line(progress)


def test_there_is_no_time_left_where_nobody_works_any_more() -> None:
    assert "left" in narration.line(HALF)
    assert narration.line(HALF, ended=True) == narration.line(HALF).removesuffix(", 20 s left")


def test_nothing_is_left_at_the_end() -> None:
    done = Progress(10, 10, 0, 0, 0, 0, 5.0)
    assert narration.line(done) == "10/10 rows (100%), 2.0 rows/s, 0 output tokens/s, 0 failed"


def test_quiet_tells_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    observer = narration.observer(quiet=True)
    observer.phase("planning")
    observer.progress(HALF)
    observer.close()
    assert capfd.readouterr() == ("", "")


def test_a_log_gets_plain_lines_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    observer = narration.observer(quiet=False)
    observer.phase("planning")
    for _ in range(100):
        observer.progress(HALF)
    observer.close()
    observer.close()
    shown = capfd.readouterr()
    assert shown.out == ""
    at_the_end = narration.line(HALF, ended=True)
    assert shown.err.splitlines() == ["llmbatch: planning", f"llmbatch: {at_the_end}"]


def test_a_bar_counts_the_rows_of_this_run_and_before(capfd: pytest.CaptureFixture[str]) -> None:
    bar = narration.Bar()
    bar.phase("planning")
    bar.progress(HALF)
    bar.phase("stopping")
    bar.close()
    bar.close()
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "llmbatch: planning" in shown.err
    assert "1000/2000" in shown.err
    assert "7 failed" in shown.err
    assert "llmbatch: stopping" in re.split(r"[\r\n]", shown.err), "on a line of its own"


def test_zero_is_an_amount_that_is_told() -> None:
    free = replace(PAID, cost=0.0, projected_cost=0.0)
    assert "USD 0.000000 of about 0.000000" in narration.line(free)
    seen = {"cost": 0.0, "projected_cost": 0.0, "currency": "USD", "state": "running"}
    seen |= {"phase": "generating", "pid": 1, "host": "h", "started_at": "2026-01-01T00:00:00"}
    seen |= {"updated_at": "2026-01-01T00:00:01", "age_seconds": 0.0}
    (cost,) = [text for text in live_view.lines(seen) if "cost" in text]
    assert cost.endswith("USD 0.000000 so far, about 0.000000 in the end")


def test_a_task_that_makes_no_tokens_shows_those_of_its_prompts() -> None:
    done = Progress(10, 10, 0, 0, output_tokens=0, prompt_tokens=500, seconds=5.0)
    assert ", 100 prompt tokens/s, " in narration.line(done)
