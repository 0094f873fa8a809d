"""The pending work of a plan when a job's earlier answers are reused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.core.errors import LockedError
from llmbatch.core.outcomes import Verdict
from llmbatch.store import history, runs
from llmbatch.store.database import Database
from llmbatch.store.history import RequestTokens
from llmbatch.store.opening import open_store
from llmbatch.store.runs import Attempt
from tests.store.conftest import Spawn, fill


def alike(spec: Mapping[str, Any]) -> bool:
    return True


@pytest.fixture
def preview(tmp_path: Path, healthy: Database) -> Database:
    """The plan of the job in another store; the job's own one is closed."""
    healthy.close()
    (tmp_path / "plan").mkdir()
    database = open_store(tmp_path / "plan/job.duckdb", beside=tmp_path)
    fill(database)
    return database


def test_without_former_answers_each_request_has_its_first_row(healthy: Database) -> None:
    left = history.pending_work(healthy, None, alike)
    assert (list(left.positions), list(left.rows)) == ([0, 1, 2], [1, 2, 6])
    assert left.history == history.NO_HISTORY


def test_sizes_are_those_of_the_messages(healthy: Database) -> None:
    found = healthy.execute("SELECT strlen(messages) FROM requests ORDER BY position")
    assert list(history.pending_work(healthy, None, alike).sizes) == [size for (size,) in found]


def test_what_the_former_store_has_settled_is_not_left(preview: Database, tmp_path: Path) -> None:
    left = history.pending_work(preview, tmp_path / "job.duckdb", alike)
    assert (list(left.positions), list(left.rows)) == ([2], [6])
    assert len(left.sizes) == 1
    past = left.history
    assert (past.settled_requests, past.settled_rows) == (2, 3)
    assert past.engine == {"engine": "none"}
    assert past.answers == [1]  # a failure's length says nothing of an answer's
    assert past.spent == [RequestTokens(9, 1), RequestTokens(9, 1)]  # but it took as much


def test_a_request_took_what_all_its_tries_took(preview: Database, tmp_path: Path) -> None:
    """Cut off and tried again, in this run and a later one; one that computed nothing is none."""
    with open_store(tmp_path / "job.duckdb") as own:
        run = runs.begin(own, 1, clock.moment(), {})
        for number, attempt in enumerate(
            [
                Attempt("c" * 32, 1, Verdict.RETRY, "truncated", "cut", "length", "n", 7, 0, 30),
                Attempt("c" * 32, 2, Verdict.RETRY, "invalid_output", "no", "stop", "n", 7, 0, 50),
                Attempt("c" * 32, 3, Verdict.ANSWERED, None, None, "stop", "yes", 7, 0, 40),
                Attempt("d" * 32, 1, Verdict.DEAD, "too_long", "too long", None, None, 0, 0, 0),
                Attempt("e" * 32, 1, Verdict.RETRY, "truncated", "cut", "length", "n", 7, 0, 30),
            ],
            start=1,
        ):
            runs.checkpoint(own, run, number, [attempt], {})
    past = history.pending_work(preview, tmp_path / "job.duckdb", alike).history
    assert past.spent == [RequestTokens(7, 120, tries=3), RequestTokens(9, 1), RequestTokens(9, 1)]


def test_what_was_reopened_is_left_again(preview: Database, tmp_path: Path) -> None:
    with open_store(tmp_path / "job.duckdb") as own:
        assert runs.reopen(own, runs.dead(own, [])) == 1
    left = history.pending_work(preview, tmp_path / "job.duckdb", alike)
    assert len(left.positions) == 2
    assert left.history.settled_requests == 1


def test_runs_tell_what_they_tried_and_took(preview: Database, tmp_path: Path) -> None:
    (run, *_) = history.pending_work(preview, tmp_path / "job.duckdb", alike).history.runs
    assert run.attempts == 2
    assert (run.starts, run.reason) == (1, "stopped")
    assert run.seconds is not None
    assert run.seconds >= 0


def test_only_answers_of_alike_runs_count(preview: Database, tmp_path: Path) -> None:
    past = history.pending_work(preview, tmp_path / "job.duckdb", lambda spec: False).history
    assert (past.spent, past.answers) == ([], [1])


def test_a_store_that_a_run_holds_is_refused_and_then_done_without(
    preview: Database, tmp_path: Path, spawn: Spawn
) -> None:
    path = tmp_path / "job.duckdb"
    spawn(
        "from pathlib import Path; from llmbatch.store.opening import open_store\n"
        f"held = open_store(Path({str(path)!r})); print('ready', flush=True); input()"
    )
    with pytest.raises(LockedError):
        history.pending_work(preview, path, alike)
    assert list(history.pending_work(preview, None, alike).rows) == [1, 2, 6]


def test_lengths_are_those_of_answers(healthy: Database) -> None:
    assert history.answer_lengths(healthy) == [1]


def test_rows_come_in_input_order(healthy: Database) -> None:
    assert history.rows_at(healthy, [6, 2, 99]) == ['{"t": "x"}'] * 2
