"""Views that are made once, and answers that are kept, are right as long as they are used."""

import re
from pathlib import Path

import pytest

from llmbatch.store import opening, reading, results, snapshots, statements
from llmbatch.store.database import Database
from llmbatch.store.views import read_by

FILES = sorted(Path(opening.__file__).with_name("sql").glob("*.sql"))
_COMMENT = re.compile(r"--[^\n]*")
VIEWS = "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal ORDER BY view_name"


def views(db: Database) -> list[str]:
    return [name for (name,) in db.execute(VIEWS)]


def test_views_are_made_with_those_that_they_read_when_a_statement_reads_them(db: Database) -> None:
    assert views(db) == []
    db.scalar("SELECT count(*) FROM pending")
    assert views(db) == ["current_plan", "failed_tries", "pending", "settled"]
    assert db.arrow("SELECT * FROM row_states").num_rows == 0
    assert {"row_states", "sampled_states", "staged_states"} <= set(views(db))


def test_a_name_within_another_is_no_view() -> None:
    assert read_by("SELECT settled_rows, suspending FROM requests") == ()
    assert read_by("-- of all settled\nSELECT 'pending' FROM requests") == ()


def test_views_that_a_rollback_has_taken_are_made_again(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.scalar("SELECT count(*) FROM pending")
        raise ZeroDivisionError
    assert views(db) == []
    assert db.scalar("SELECT count(*) FROM pending") == 0


def test_views_follow_the_place_where_names_are_looked_up(healthy: Database) -> None:
    assert healthy.scalar("SELECT count(*) FROM settled") > 0
    healthy.execute("ATTACH ':memory:' AS part")
    healthy.execute("CREATE TABLE part.attempts AS FROM job.attempts LIMIT 0")
    healthy.use("part,job")
    assert healthy.scalar("SELECT count(*) FROM settled") == 0


def test_a_second_connection_has_views_of_its_own(healthy: Database) -> None:
    cursor = healthy.cursor()
    expected = results.counts(healthy)
    assert results.counts(cursor) == expected
    cursor.close()


def test_what_was_read_is_read_again_after_it_was_written(healthy: Database) -> None:
    before = snapshots.newest(healthy)
    assert before is not None
    with healthy.transaction():
        healthy.execute("UPDATE snapshots SET row_count = row_count + 1")
        within = snapshots.newest(healthy)
    after = snapshots.newest(healthy)
    assert within == after
    assert after is not None
    assert after.row_count == before.row_count + 1


def test_what_was_read_before_a_rollback_is_not_kept(healthy: Database) -> None:
    before = snapshots.newest(healthy)
    with pytest.raises(ZeroDivisionError), healthy.transaction():
        healthy.execute("UPDATE snapshots SET row_count = row_count + 1")
        assert snapshots.newest(healthy) != before
        raise ZeroDivisionError
    assert snapshots.newest(healthy) == before


def test_what_was_read_before_a_batch_is_asked_again(healthy: Database) -> None:
    sql = "SELECT count(*) AS rejects FROM rejects"
    ((before,),) = (each.values() for each in healthy.reread(sql))
    healthy.fill("rejects", healthy.arrow("SELECT * FROM rejects"))
    assert healthy.reread(sql) == [{"rejects": 2 * before}]
    assert before > 0


def test_no_statement_that_writes_looks_like_one_that_reads() -> None:
    every = [text for file in FILES for text in statements.load(file.name).values()]
    read = [text for text in every if reading._READS.match(text)]
    writes = re.compile(r"\b(INSERT|UPDATE|DELETE|DROP|ALTER|TRUNCATE)\b")
    assert len(read) > 100
    assert [text for text in read if writes.search(_COMMENT.sub("", text))] == []


def test_who_changes_what_was_read_changes_it_for_himself(healthy: Database) -> None:
    sql = "SELECT * FROM snapshots"
    healthy.reread(sql)[0]["input"] = "another"
    assert healthy.reread(sql)[0]["input"] != "another"


def test_a_step_of_the_schema_means_the_views_of_the_file(db: Database) -> None:
    db.declare("CREATE VIEW job.pending AS SELECT 7 AS seven")
    assert views(db) == []
    assert db.execute("SELECT * FROM job.pending") == [(7,)]
    assert opening.version(db, db.path) == len(opening.MIGRATIONS)
