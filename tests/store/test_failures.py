"""New failures are told from those that a finished run has met."""

from pathlib import Path

from llmbatch.store import failures
from llmbatch.store.failures import NewFailures
from tests.reports import answered


def test_the_first_run_has_only_new_failures(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        run = answered.run(
            db, {"a": "x", "b": "FAIL", "c": "TEMPLATE"}, rejects=["odd", "odd"], ended=None
        )
        assert failures.count_new(db, run) == NewFailures(failed=2, rejected=2, worked=5)


def test_old_failures_are_not_new_again(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "x", "b": "FAIL", "c": "TEMPLATE"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, rejects=["odd"], ended=3)
        again = answered.run(db, rows, rejects=["odd"], ended=None)
        assert failures.count_new(db, again) == NewFailures()
        # A later report of the same run says the same.
        failures.keep_known(db, again)
        assert failures.count_new(db, again) == NewFailures()


def test_each_kind_of_new_failure_is_seen(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x", "c": "TEMPLATE"}, rejects=["odd"], ended=3)
        more: dict[str, str | None] = {"a": "x", "c": "TEMPLATE", "d": "TEMPLATE", "e": "FAIL"}
        run = answered.run(db, more, rejects=["odd", "odd", "odder"], ended=None)
        assert failures.count_new(db, run) == NewFailures(failed=2, rejected=2, worked=4)


def test_failures_of_a_run_that_was_stopped_were_not_reported(tmp_path: Path) -> None:
    """The run that comes to the end of the work is the one that they are told of."""
    rows: dict[str, str | None] = {"a": "FAIL", "b": None, "c": "TEMPLATE"}
    with answered.store(tmp_path) as db:
        answered.run(db, rows, rejects=["odd"], ended=4)
        run = answered.run(db, rows | {"b": "x"}, rejects=["odd"], ended=None)
        assert failures.count_new(db, run) == NewFailures(failed=2, rejected=1, worked=4)


def test_a_failure_that_was_gone_is_new_when_it_comes_back(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "x"}, rejects=["odd"], ended=3)
        answered.run(db, {"a": "x"}, ended=0)
        run = answered.run(db, {"a": "x"}, rejects=["odd"], ended=None)
        assert failures.count_new(db, run) == NewFailures(rejected=1, worked=1)
