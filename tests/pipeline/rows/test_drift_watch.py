"""An input is compared with those of former runs, and stops the job where it drifts too far."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.rows.drift_watch import DriftWatch
from llmbatch.store import input_profiles, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store

TEAMS = ("billing", "refunds", "press")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with open_store(tmp_path / "job.duckdb") as database:
        yield database


def read(
    db: Database, night: int, new: float = 0.0, *, is_aside: bool = False, **given: Any
) -> DriftWatch:
    """Read an input as a run does, and keep its profile. `new`: the share of a new team."""
    rng = random.Random(night)
    teams = (rng.choice(TEAMS) if rng.random() >= new else "returns" for _ in range(600))
    path = db.path.with_name("in.jsonl")
    path.write_bytes(
        b"".join(orjson.dumps({"id": n, "team": team}) + b"\n" for n, team in enumerate(teams))
    )
    table = {"output": "o.csv", "model": "m", "prompt": "{{ team }}", "id_column": "id"}
    job = ready_job.make(JobSpec.model_validate(table | {"input": {"files": str(path)} | given}))
    watch = DriftWatch(job.spec, input_profiles.kept(db), is_aside=is_aside)
    ingest.ingest(db, job.input, db.path.with_name("spool"), watch)
    watch.keep(db)
    return watch


def told(watch: DriftWatch) -> list[tuple[str | None, str]]:
    return [(each.column, each.measure) for each in watch.drift.changes]


def test_the_first_input_has_nothing_to_be_compared_with(db: Database) -> None:
    watch = read(db, 1, max_drift="none")
    assert watch.drift.inputs == 0
    assert watch.lines() == []
    assert len(input_profiles.kept(db)) == 1


def test_aside_an_input_is_looked_at_only_where_there_are_others_to_compare_it_with(
    db: Database,
) -> None:
    first = read(db, 1, is_aside=True)
    assert first.drift.inputs == 0
    assert input_profiles.kept(db) == []
    read(db, 1)
    assert told(read(db, 2, new=0.1, is_aside=True)) == [("team", "new value")]


def test_a_change_is_told_and_told_again_of_the_same_input(db: Database) -> None:
    for night in (1, 2, 3):
        assert read(db, night).lines() == []
    changed = read(db, 4, new=0.1)
    assert told(changed) == [("team", "new value")]
    assert changed.drift.inputs == 3
    again = read(db, 4, new=0.1)
    assert again.drift == changed.drift
    assert len(input_profiles.kept(db)) == 4


def test_too_much_drift_is_refused_and_changes_nothing(db: Database) -> None:
    read(db, 1)
    before = snapshots.newest(db)
    with pytest.raises(UsageError, match=r"in\.jsonl: is other .*'returns'.*--max-drift moderate"):
        read(db, 2, new=0.3, max_drift="moderate")
    assert snapshots.newest(db) == before
    assert len(input_profiles.kept(db)) == 1
    assert read(db, 3, new=0.04).drift.level == "moderate"


def test_moderate_drift_is_refused_where_none_is_allowed(db: Database) -> None:
    read(db, 1)
    assert read(db, 2, new=0.04, max_drift="moderate").drift.level == "moderate"
    with pytest.raises(UsageError, match="--max-drift none"):
        read(db, 2, new=0.04, max_drift="none")


def test_without_a_window_nothing_is_looked_at(db: Database) -> None:
    read(db, 1)
    assert read(db, 2, new=0.5, drift_window=0, max_drift="none").lines() == []
    assert len(input_profiles.kept(db)) == 1


def test_the_window_forgets_what_was_long_ago(db: Database) -> None:
    read(db, 1, new=0.2)
    read(db, 2)
    read(db, 3)
    assert read(db, 4, new=0.2, drift_window=3).lines() == []
    assert told(read(db, 5, new=0.2, drift_window=1)) == []
    assert read(db, 6, drift_window=2).drift.inputs == 2


def test_a_part_of_the_rows_is_compared_with_its_like_alone(db: Database) -> None:
    read(db, 1)
    part = "team <> 'press'"
    assert read(db, 2, where=part).drift.inputs == 0
    assert read(db, 3, where=part).drift.inputs == 1
    assert read(db, 4).drift.inputs == 1
