"""The profiles of inputs are kept in order, outlive runs that are forgotten, and are read aside."""

from pathlib import Path

from llmbatch.core import clock
from llmbatch.store import input_profiles, recovery, runs
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store


def test_profiles_are_kept_in_order(db: Database) -> None:
    assert input_profiles.kept(db) == []
    input_profiles.keep(db, "a", "", {"rows": 3}, {"inputs": 0})
    input_profiles.keep(db, "b", "--limit 5", {"rows": 5}, {"inputs": 1})
    first, second = input_profiles.kept(db)
    assert (first.digest, first.scope, first.profile) == ("a", "", {"rows": 3})
    assert (second.digest, second.scope, second.drift) == ("b", "--limit 5", {"inputs": 1})
    assert first.taken_at <= second.taken_at


def test_they_outlive_runs_that_are_forgotten(tmp_path: Path, db: Database) -> None:
    input_profiles.keep(db, "a", "", {"rows": 3}, {})
    runs.begin(db, 1, clock.moment(), {})
    recovery.forget_runs(db)
    assert [each.digest for each in input_profiles.kept(db)] == ["a"]
    db.close()
    (tmp_path / "job.duckdb").unlink()
    with open_store(tmp_path / "job.duckdb") as again:  # made of the journal
        assert [each.digest for each in input_profiles.kept(again)] == ["a"]
        assert again.scalar("SELECT count(*) FROM runs") == 0


def test_they_are_read_from_another_store(tmp_path: Path, db: Database) -> None:
    input_profiles.keep(db, "a", "", {"rows": 3}, {})
    db.close()
    (tmp_path / "aside").mkdir()
    with open_store(tmp_path / "aside/job.duckdb", beside=tmp_path) as aside:
        found = input_profiles.kept_in(aside, tmp_path / "job.duckdb")
        assert [each.digest for each in found] == ["a"]
        assert input_profiles.kept_in(aside, tmp_path / "none.duckdb") == []
        assert input_profiles.kept(aside) == []
