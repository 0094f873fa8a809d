"""A connection to a store: transactions, and records as values."""

from dataclasses import dataclass
from datetime import datetime

import duckdb
import pytest

from llmbatch.core.clock import Moment
from llmbatch.store.database import Database


def test_a_transaction_is_all(db: Database) -> None:
    with db.transaction():
        db.execute("INSERT INTO rejects VALUES (1, 1, 'a', '', 0)")
        db.execute("INSERT INTO rejects VALUES (1, 2, 'b', '', 0)")
    assert db.scalar("SELECT count(*) FROM rejects") == 2


@pytest.mark.parametrize("failure", ["ours", "a signal", "a statement"])
def test_or_nothing(db: Database, failure: str) -> None:
    kind = {"ours": ValueError, "a signal": KeyboardInterrupt, "a statement": duckdb.Error}[failure]
    with pytest.raises(kind), db.transaction():
        db.execute("INSERT INTO rejects VALUES (1, 1, 'a', '', 0)")
        if failure == "a statement":
            db.execute("INSERT INTO rejects VALUES (1, 2, '', '', 0)")
        raise kind("x")
    assert db.scalar("SELECT count(*) FROM rejects") == 0
    with db.transaction():
        db.execute("INSERT INTO rejects VALUES (1, 1, 'a', '', 0)")
    assert db.scalar("SELECT count(*) FROM rejects") == 1


def test_nobody_sees_a_transaction_before_it_is_over(db: Database) -> None:
    other = db.cursor()
    with db.transaction():
        db.execute("INSERT INTO rejects VALUES (1, 1, 'a', '', 0)")
        assert other.scalar("SELECT count(*) FROM rejects") == 0
    assert other.scalar("SELECT count(*) FROM rejects") == 1


@dataclass(frozen=True)
class Start:
    run: int
    began: Moment
    ready: Moment | None


def test_records_are_values_with_their_moments(db: Database) -> None:
    noon = datetime(2026, 1, 1, 12)
    moments = "? AS began_at, 1.5 AS began_seconds, NULL AS ready_at, NULL AS ready_seconds"
    assert db.values(Start, f"SELECT 7 AS run, {moments}", [noon]) == [
        Start(7, Moment(noon, 1.5), None)
    ]
    with pytest.raises(TypeError):
        db.values(Start, "SELECT 7 AS other")
