"""The newest answers are read from the journal alone."""

from pathlib import Path

from llmbatch.store.database import Database
from llmbatch.store.newest_answers import NewestAnswers

SETTLED = "SELECT replace(CAST(key AS VARCHAR), '-', '') FROM attempts WHERE verdict <> 'retry'"


def test_they_are_those_of_the_store(healthy: Database) -> None:
    stored = [key for (key,) in healthy.execute(f"{SETTLED} ORDER BY rowid")]
    newest = NewestAnswers(healthy.path)
    assert [each.request for each in newest.last(100)] == stored
    assert [each.request for each in newest.last(1)] == stored[-1:]
    assert newest.last(0) == []
    assert newest.more() == []


def test_a_frame_that_is_not_whole_is_read_later(healthy: Database, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    whole = journal.read_bytes()
    newest = NewestAnswers(healthy.path)
    every = newest.last(100)
    journal.write_bytes(whole[:-20])
    fewer = newest.last(100)
    assert newest.more() == []
    journal.write_bytes(whole)
    assert [*fewer, *newest.more()] == every


def test_a_journal_that_was_written_anew_is_followed_from_its_end(
    healthy: Database, tmp_path: Path
) -> None:
    newest = NewestAnswers(healthy.path)
    newest.last(1)
    other = tmp_path / "other"
    other.write_bytes((tmp_path / "journal").read_bytes())
    other.replace(tmp_path / "journal")
    assert newest.more() == []
    assert newest.more() == []
