"""What a plan leaves to do when a job's former answers are reused."""

from pathlib import Path

import pytest

from llmbatch.core.errors import LockedError
from llmbatch.store import outlook
from llmbatch.store.database import Database
from tests.store.conftest import Spawn, fill


@pytest.fixture
def preview(tmp_path: Path, healthy: Database) -> Database:
    """The plan of the job in another store; the job's own one is closed."""
    healthy.close()
    (tmp_path / "plan").mkdir()
    database = Database.open(tmp_path / "plan/job.duckdb")
    fill(database)
    return database


def test_without_former_answers_each_request_has_its_first_row(healthy: Database) -> None:
    left = outlook.left(healthy, None)
    assert (list(left.positions), list(left.rows)) == ([0, 1, 2], [1, 2, 6])
    assert (left.engine, left.answers) == ({}, [])


def test_what_the_former_store_has_settled_is_not_left(preview: Database, tmp_path: Path) -> None:
    left = outlook.left(preview, tmp_path / "job.duckdb")
    assert (list(left.positions), list(left.rows)) == ([2], [6])
    assert left.engine == {"engine": "none"}
    assert left.answers == [1]  # a failure's length says nothing of an answer's


def test_a_store_that_a_run_holds_is_refused_and_then_done_without(
    preview: Database, tmp_path: Path, spawn: Spawn
) -> None:
    path = tmp_path / "job.duckdb"
    spawn(
        "from pathlib import Path; from llmbatch.store.database import Database\n"
        f"held = Database.open(Path({str(path)!r})); print('ready', flush=True); input()"
    )
    with pytest.raises(LockedError):
        outlook.left(preview, path)
    assert list(outlook.left(preview, None).rows) == [1, 2, 6]


def test_lengths_are_those_of_answers(healthy: Database) -> None:
    assert outlook.answer_lengths(healthy) == [1]


def test_rows_come_in_input_order(healthy: Database) -> None:
    assert outlook.rows_at(healthy, [6, 2, 99]) == ['{"t": "x"}'] * 2
