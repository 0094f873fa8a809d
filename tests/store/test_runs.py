"""Attempts are appended; what is pending, answered or failed is asked of them."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.store import plans, results, runs
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt

Spawn = Callable[[str], "subprocess.Popen[str]"]
A, B, C = "a" * 32, "b" * 32, "c" * 32


def answered(key: str, attempt: int = 1, text: str = "yes") -> Attempt:
    return Attempt(key, attempt, Verdict.ANSWERED, None, None, "stop", text, 9, 4, 1)


def failed(key: str, verdict: Verdict, attempt: int = 1) -> Attempt:
    return Attempt(key, attempt, verdict, "truncated", "cut", "length", "y", 9, 0, 512)


def rows_in(db: Database, *states: str) -> list[dict[str, Any]]:
    """The present states of the rows."""
    return list(results.in_input_order(db, list(states)))


def again(db: Database, *attempts: Attempt) -> int:
    """A second run with one checkpoint."""
    run = runs.begin(db, 1, clock.moment(), {})
    runs.checkpoint(db, run, 1, list(attempts), {})
    assert set(results.violations(db).values()) == {0}
    return run


def test_every_row_is_in_one_state(healthy: Database) -> None:
    assert results.counts(healthy) == results.Counts(answered=2, failed=2, pending=1, rejected=1)
    assert results.counts(healthy).rows_in == 6
    assert list(plans.pending(healthy).positions) == [2]


def test_an_answer_settles_every_row_of_its_request(healthy: Database) -> None:
    found = {row["row"]: row["answer"] for row in rows_in(healthy, "answered")}
    assert found == {1: "yes", 3: "yes"}


def test_a_try_that_may_be_repeated_settles_nothing(healthy: Database) -> None:
    again(healthy, failed(C, Verdict.RETRY))
    assert results.counts(healthy).pending == 1
    assert list(plans.pending(healthy).positions) == [2]
    again(healthy, answered(C, attempt=2))
    assert results.counts(healthy) == results.Counts(answered=3, failed=2, rejected=1)
    (last,) = [row for row in rows_in(healthy, "answered") if row["row"] == 6]
    assert last["attempt"] == 2


def test_answers_outlive_their_plan(healthy: Database) -> None:
    """An answer is found by its key, by any plan that asks for it again."""
    rows = [RenderedRow(n, key, None, None, "m" + key) for n, key in enumerate([A, B, C, A], 1)]
    rows.append(RenderedRow(6, A, None, None, "m" + A))
    plans.replace(healthy, 1, "other", [rows], None)
    assert results.counts(healthy) == results.Counts(answered=3, failed=1, pending=1, rejected=1)
    run = runs.begin(healthy, 2, clock.moment(), {})
    # The failed row has nothing that could be used again.
    assert healthy.execute("SELECT reused FROM runs WHERE run = ?", [run]) == [(3,)]


def test_results_come_in_input_order_with_their_rows(
    healthy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for window in (1, 2, 100):
        monkeypatch.setattr(results, "_WINDOW", window)
        found = rows_in(healthy, "answered", "failed", "pending")
        assert [row["row"] for row in found] == [1, 2, 3, 4, 6]
        assert [row["line"] for row in found] == [1, 2, 3, 4, 6]
        states = [row["state"] for row in found]
        assert states == ["answered", "failed", "answered", "failed", "pending"]
    assert {row["kind"] for row in rows_in(healthy, "failed")} == {
        "truncated",
        "template",
    }


def test_what_is_committed_survives_a_killed_process(
    tmp_path: Path, healthy: Database, spawn: Spawn
) -> None:
    healthy.close()
    path = tmp_path / "job.duckdb"
    program = f"""
import os, signal, sys
from pathlib import Path
from llmbatch.core import clock
from llmbatch.store import runs
from llmbatch.store.opening import open_store
from llmbatch.store.runs import Attempt
db = open_store(Path({str(path)!r}))
run = runs.begin(db, 1, clock.moment(), {{}})
runs.checkpoint(db, run, 1, [Attempt({C!r}, 1, "answered", None, None, "stop", "z", 1, 0, 1)], {{}})
db.execute("BEGIN")
db.execute("DELETE FROM attempts")
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert spawn(program).wait() == -9
    with open_store(path) as database:
        assert results.counts(database).answered == 3
        assert set(results.violations(database).values()) == {0}


@pytest.mark.parametrize(
    "bad",
    [answered("not a key"), Attempt(C, 1, Verdict.ANSWERED, None, None, None, None, 0, 0, 0)],
)
def test_a_checkpoint_is_all_or_nothing(healthy: Database, bad: Attempt) -> None:
    with pytest.raises(duckdb.Error):
        runs.checkpoint(healthy, 1, 3, [answered(C), bad], {})
    assert healthy.scalar("SELECT count(*) FROM attempts") == 2
    runs.checkpoint(healthy, 1, 3, [answered(C)], {})
    assert results.counts(healthy).answered == 3


@pytest.mark.parametrize(
    "text", ["", "ü 🦆", "a\x00b", "'\"\\", "x" * 1_000_000, "NULL", '{"a": 1.10}']
)
def test_an_answer_keeps_every_character(healthy: Database, text: str) -> None:
    again(healthy, answered(C, text=text))
    (row,) = [r for r in rows_in(healthy, "answered") if r["row"] == 6]
    assert row["answer"] == text
