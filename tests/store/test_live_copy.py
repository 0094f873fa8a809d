"""A run's copy of its store for readers."""

import threading
from pathlib import Path

import pytest

from llmbatch.store import live_copy, results
from llmbatch.store.database import Database
from llmbatch.store.live_copy import CopyService
from llmbatch.store.opening import open_store


def test_a_copy_holds_what_is_committed(healthy: Database) -> None:
    with CopyService(healthy):
        healthy.execute("BEGIN")
        healthy.execute("DELETE FROM attempts")
        copy = live_copy.ask(healthy.path, lambda: True)
        healthy.execute("ROLLBACK")
        assert copy is not None
        with open_store(copy, read_only=True) as db:
            assert results.counts(db) == results.counts(healthy)
            assert not any(results.violations(db).values())
        again = live_copy.ask(healthy.path, lambda: True)
        assert again == copy
    assert not [path for path in healthy.path.parent.iterdir() if path.name.startswith("copy")]
    healthy.compact()


def test_nobody_waits_for_a_run_that_has_ended_or_makes_none(
    healthy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live_copy.ask(healthy.path, lambda: False) is None
    monkeypatch.setattr(live_copy, "_TAKEN_WITHIN", 0.0)
    assert live_copy.ask(healthy.path, lambda: True) is None


def test_a_copy_that_cannot_be_made_stops_nothing(healthy: Database, tmp_path: Path) -> None:
    (tmp_path / "copy.duckdb.new").mkdir()
    with CopyService(healthy):
        over = threading.Event()
        threading.Timer(0.6, over.set).start()
        assert live_copy.ask(healthy.path, lambda: not over.is_set()) is None
    (tmp_path / "copy.duckdb.new").rmdir()
