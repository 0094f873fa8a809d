"""Every named CHECK of the schema refuses what it is there to refuse."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.store import statements
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store

NOW = datetime(2026, 1, 1)

# A record that each table accepts.
SNAPSHOT = {
    "snapshot": 1,
    "input": "i",
    "format": "csv",
    "digest": "d",
    "columns": "[]",
    "row_count": 0,
    "reject_count": 0,
    "ingested_at": NOW,
}
ROW = {"snapshot": 1, "row": 1, "line": 1, "id": "a", "data": "{}"}
REJECT = {"snapshot": 1, "line": 1, "reason": "bad", "raw": ""}
PLANNED = {"plan": 1, "row": 1, "key": "a" * 32}
REQUEST = {"plan": 1, "position": 0, "key": "a" * 32, "copies": 1, "messages": "[]"}
ENGINE = {"run": 1, "began_at": NOW, "ready_at": NOW, "description": "{}"}
CHECKPOINT = {"run": 1, "checkpoint": 1, "committed_at": NOW, "attempts": 1, "telemetry": "{}"}
ATTEMPT = {
    "key": "a" * 32,
    "attempt": 1,
    "run": 1,
    "checkpoint": 1,
    "verdict": "answered",
    "answer": "",
    "prompt_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
}
COMMIT = {"number": 1}
DEATH = {"run": 1, "died_at": NOW, "reason": "gone", "in_flight": 0}
REOPENING = {"key": "a" * 32, "attempt": 1, "reopened_at": NOW}
DEAD = {**ATTEMPT, "verdict": "dead", "kind": "truncated"}

# Constraint: its table, a good record, and the changes that make it bad.
CASES: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "snapshot_counts_are_not_negative": (
        "snapshots",
        SNAPSHOT,
        [{"row_count": -1}, {"reject_count": -1}],
    ),
    "row_counts_from_one": ("rows", ROW, [{"row": 0}, {"row": -1}]),
    "line_counts_from_one": ("rows", ROW, [{"line": 0}]),
    "reject_has_a_reason": ("rejects", REJECT, [{"reason": ""}]),
    "planned_row_has_a_request_or_a_reason": (
        "planned_rows",
        PLANNED,
        [{"key": None}, {"kind": "template"}],
    ),
    "position_counts_from_zero": ("requests", REQUEST, [{"position": -1}]),
    "request_answers_a_row": ("requests", REQUEST, [{"copies": 0}]),
    "engine_is_ready_after_it_began": (
        "engine_starts",
        ENGINE,
        [{"ready_at": datetime(2025, 12, 31)}],
    ),
    "checkpoint_holds_attempts": ("checkpoints", CHECKPOINT, [{"attempts": 0}]),
    "attempt_counts_from_one": ("attempts", ATTEMPT, [{"attempt": 0}]),
    "verdict_is_known": ("attempts", DEAD, [{"verdict": "running"}, {"verdict": "Dead"}]),
    "only_failures_have_a_kind": ("attempts", DEAD, [{"kind": None}]),
    "answered_attempt_has_an_answer": ("attempts", ATTEMPT, [{"answer": None}]),
    "tokens_add_up": (
        "attempts",
        ATTEMPT,
        [{"cached_tokens": 1}, {"cached_tokens": -1}, {"output_tokens": -1}],
    ),
    "commit_counts_from_one": ("commits", COMMIT, [{"number": 0}]),
    "in_flight_is_not_negative": ("engine_deaths", DEATH, [{"in_flight": -1}]),
}


@pytest.fixture(scope="module")
def store(models: Path) -> Iterator[Database]:
    """An empty store for tests that leave it so."""
    with open_store(models / "empty/job.duckdb") as database:
        yield database


def insert(db: Database, table: str, record: dict[str, Any]) -> None:
    places = ", ".join(f"${name}" for name in record)
    db.execute(f"INSERT INTO {table} ({', '.join(record)}) VALUES ({places})", record)


def test_every_constraint_has_a_case_here() -> None:
    files = ("schema.sql", "schema_2.sql", "schema_3.sql")
    schema = " ".join(text for file in files for text in statements.load(file).values())
    named = re.findall(r"CONSTRAINT (\w+)", schema)
    assert sorted(named) == sorted(CASES)
    assert len(re.findall(r"\bCHECK\b", schema)) == len(named), "a CHECK without a name"


@pytest.mark.parametrize("name", CASES)
def test_a_constraint_refuses_its_violation_only(store: Database, name: str) -> None:
    table, good, changes = CASES[name]
    store.execute("BEGIN")
    insert(store, table, good)
    store.execute("ROLLBACK")
    for change in changes:
        with pytest.raises(duckdb.ConstraintException, match=f"CHECK.*{table}"):
            insert(store, table, good | change)


def test_an_answer_with_a_kind_is_refused(store: Database) -> None:
    with pytest.raises(duckdb.ConstraintException):
        insert(store, "attempts", ATTEMPT | {"kind": "truncated"})


@pytest.mark.parametrize(
    ("table", "good"),
    [
        ("snapshots", SNAPSHOT),
        ("rows", ROW),
        ("rejects", REJECT),
        ("requests", REQUEST),
        ("engine_starts", ENGINE),
        ("checkpoints", CHECKPOINT),
        ("commits", COMMIT),
        ("engine_deaths", DEATH),
        ("reopenings", REOPENING),
    ],
)
def test_what_must_be_there_is_not_null(store: Database, table: str, good: dict[str, Any]) -> None:
    for name in good:
        with pytest.raises(duckdb.ConstraintException, match=f"NOT NULL.*{name}"):
            insert(store, table, good | {name: None})
