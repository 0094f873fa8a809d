"""Every invariant reports the damage that it is there for, and nothing on a healthy store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.store import plans, results, runs, snapshots, statements
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source

# Invariant: statements, each of which damages the healthy store in a way it must report.
DAMAGES: dict[str, list[str]] = {
    "every_record_is_a_row_or_a_reject": [
        "INSERT INTO rows SELECT * FROM rows WHERE row = 1",
        "DELETE FROM rows WHERE row = 2",
        "DELETE FROM rejects",
        "UPDATE rows SET row = 99 WHERE row = 6",
    ],
    "only_the_newest_snapshot_has_rows": [
        "UPDATE rows SET snapshot = 0 WHERE row = 1",
        "UPDATE rejects SET snapshot = 2",
    ],
    "snapshot_counts_match_its_rows": [
        "DELETE FROM rows WHERE row = 6",
        "DELETE FROM rejects",
        "UPDATE snapshots SET reject_count = 2",
    ],
    "every_row_is_planned": [
        "DELETE FROM planned_rows WHERE row = 1",
        "DELETE FROM planned_rows",
        "DELETE FROM rows WHERE row = 2",
        "UPDATE planned_rows SET row = 99 WHERE row = 1",
    ],
    "no_row_is_planned_twice": [
        "INSERT INTO planned_rows SELECT * FROM planned_rows WHERE row = 1"
    ],
    "samples_count_from_zero_without_gaps": [
        "UPDATE planned_rows SET sample = 1 WHERE row = 1",
        "UPDATE planned_rows SET samples = 2 WHERE row = 1",
        "INSERT INTO planned_rows SELECT * REPLACE (2 AS sample) FROM planned_rows WHERE row = 1",
    ],
    "every_planned_key_has_one_request": [
        "UPDATE requests SET row_share = 0.5 WHERE position = 0",
        "DELETE FROM requests WHERE position = 0",
        "INSERT INTO requests SELECT * FROM requests WHERE position = 0",
        "UPDATE requests SET copies = copies + 1",
        "DELETE FROM planned_rows WHERE row = 6",
    ],
    "a_row_came_to_its_stage_through_all_before": [
        "UPDATE planned_rows SET stage = 1 WHERE row = 1",
        "INSERT INTO escalations SELECT plan, row, 0, key, NULL FROM planned_rows WHERE row = 1",
    ],
    "a_request_is_of_the_stage_of_its_rows": ["UPDATE requests SET stage = 1"],
    "only_settled_requests_escalate": [
        "INSERT INTO escalations SELECT plan, row, 0, key, NULL FROM planned_rows WHERE row = 1"
    ],
    "positions_count_from_zero_without_gaps": [
        "UPDATE requests SET position = position + 1",
        "UPDATE requests SET position = 0",
        "DELETE FROM requests WHERE position = 1",
    ],
    "a_request_is_settled_at_most_once": [
        "INSERT INTO attempts SELECT * REPLACE (2 AS attempt) FROM attempts"
    ],
    "nothing_is_tried_after_it_settled": [
        "INSERT INTO attempts SELECT * REPLACE (2 AS attempt, 'retry' AS verdict)"
        " FROM attempts WHERE verdict = 'dead'"
    ],
    "attempts_count_from_one_without_gaps": [
        "UPDATE attempts SET attempt = 2",
        "INSERT INTO attempts SELECT * FROM attempts",
    ],
    "attempts_match_their_checkpoints": [
        "DELETE FROM attempts WHERE checkpoint = 1",
        "DELETE FROM checkpoints WHERE checkpoint = 2",
        "UPDATE checkpoints SET attempts = 2",
        "UPDATE attempts SET run = 2",
    ],
    "checkpoints_belong_to_runs": ["DELETE FROM runs"],
    "checkpoints_count_from_one_without_gaps": [
        "UPDATE checkpoints SET checkpoint = checkpoint + 1",
        "UPDATE checkpoints SET checkpoint = 1",
    ],
    "requests_belong_to_the_newest_plan": [
        "UPDATE requests SET plan = plan + 1",
        "UPDATE planned_rows SET plan = plan + 1",
    ],
    "ends_and_engine_starts_belong_to_runs": [
        "UPDATE run_ends SET run = 9",
        "INSERT INTO engine_starts (run, began_at, ready_at, description) "
        "SELECT 9, ended_at, ended_at, '{}' FROM run_ends",
    ],
    "engine_deaths_belong_to_runs": [
        "INSERT INTO engine_deaths (run, died_at, reason, in_flight) "
        "SELECT 9, ended_at, 'gone', 1 FROM run_ends"
    ],
    "only_dead_attempts_are_reopened": [
        "INSERT INTO reopenings (key, attempt, reopened_at) "
        "SELECT key, attempt, now() FROM attempts WHERE checkpoint = 1",
        "INSERT INTO reopenings (key, attempt, reopened_at) "
        "SELECT key, attempt + 1, now() FROM attempts WHERE checkpoint = 2",
        "INSERT INTO reopenings (key, attempt, reopened_at) "
        "SELECT key, attempt, now() FROM attempts, range(2)"
        " WHERE checkpoint = 2",
    ],
    "a_commit_is_counted_once": ["INSERT INTO commits SELECT * FROM commits"],
    "a_run_ends_at_most_once": ["INSERT INTO run_ends SELECT * FROM run_ends"],
    "every_record_has_one_state": [
        "DELETE FROM rejects",
        "DELETE FROM planned_rows WHERE row = 1",
        "UPDATE snapshots SET row_count = row_count + 1",
    ],
    "nothing_is_defined_in_the_file_but_tables": [
        "CREATE MACRO job.main.coalesced(x) AS 42",
        "CREATE VIEW job.main.strange AS SELECT 1",
        "CREATE SCHEMA job.other",
        "CREATE SEQUENCE job.main.counter",
        "CREATE TYPE job.main.mood AS ENUM ('a')",
        "CREATE INDEX fast ON rejects (line)",
    ],
    "every_row_is_answered_failed_skipped_or_pending": [
        "UPDATE planned_rows SET plan = 0 WHERE row = 1",
        "INSERT INTO attempts SELECT * FROM attempts",
    ],
}
CASES = [(name, damage) for name, damages in DAMAGES.items() for damage in damages]
A, C = "a" * 32, "c" * 32


def broken(db: Database) -> list[str]:
    return [name for name, count in results.violations(db).items() if count]


def test_every_invariant_has_a_damage_here() -> None:
    assert sorted(DAMAGES) == sorted(statements.load("invariants.sql"))


@pytest.fixture(scope="module")
def damaged(models: Path) -> Iterator[Database]:
    """A healthy store for tests that take their damage back."""
    with open_store(models / "healthy/job.duckdb") as database:
        yield database


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_damage_is_reported(damaged: Database, name: str, damage: str) -> None:
    damaged.execute("BEGIN")
    damaged.execute(damage)
    found = results.violations(damaged)
    damaged.execute("ROLLBACK")
    assert found[name] > 0


def test_a_healthy_store_is_sound(healthy: Database) -> None:
    assert broken(healthy) == []


def test_a_new_store_is_sound(db: Database) -> None:
    assert broken(db) == []


def test_a_new_snapshot_without_a_plan_is_sound(healthy: Database) -> None:
    items = [Row(1, "1", Record(1, "{}"))]
    snapshots.replace(healthy, items, lambda: Source("i", "csv", "d2", None, []))
    assert broken(healthy) == []


def test_a_new_plan_is_sound(healthy: Database) -> None:
    rows = [RenderedRow(n, A, None, None, "m") for n in (1, 2, 3, 4, 6)]
    plans.replace(healthy, 1, "other", [rows], None)
    assert broken(healthy) == []


def test_a_plan_without_a_single_request_is_sound(healthy: Database) -> None:
    rows = [RenderedRow(n, None, "template", "no", None) for n in (1, 2, 3, 4, 6)]
    plans.replace(healthy, 1, "other", [rows], None)
    assert broken(healthy) == []


def test_a_request_that_is_tried_twice_is_sound(healthy: Database) -> None:
    for number, verdict in enumerate((Verdict.RETRY, Verdict.DEAD), start=1):
        run = runs.begin(healthy, 1, clock.moment(), {})
        attempt = Attempt(C, number, verdict, "truncated", "cut", "length", "y", 9, 0, 5)
        runs.checkpoint(healthy, run, 1, [attempt], {})
        assert broken(healthy) == []


def test_a_run_that_was_killed_is_sound(healthy: Database) -> None:
    runs.begin(healthy, 1, clock.moment(), {})
    healthy.execute("DELETE FROM run_ends")
    assert broken(healthy) == []
