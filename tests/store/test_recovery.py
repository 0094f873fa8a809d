"""Records that only the store or only its journal has come to the other at the next opening."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import UnwrittenError
from llmbatch.core.outcomes import Verdict
from llmbatch.store import (
    field_groups,
    frames,
    input_profiles,
    journal,
    recovery,
    results,
    runs,
)
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError
from llmbatch.store.opening import open_store
from llmbatch.store.runs import Attempt

B, C = "b" * 32, "c" * 32
Content = dict[str, list[tuple[Any, ...]]]


def content(db: Database) -> Content:
    """All that must outlive a power cut."""
    return {table: sorted(db.execute(f"FROM {table}"), key=repr) for table in recovery.DURABLE}


def work(db: Database, key: str = C, attempt: int = 1) -> int:
    """A run that answers one request."""
    run = runs.begin(db, 1, clock.moment(), {"a": "ü"})
    answer = Attempt(key, attempt, Verdict.ANSWERED, None, None, "stop", "🦆\x00", 9, 4, 1)
    runs.checkpoint(db, run, 1, [answer], {"steps": 3})
    return run


@pytest.fixture
def store(tmp_path: Path, healthy: Database) -> Path:
    """A healthy store, closed."""
    healthy.close()
    return tmp_path / "job.duckdb"


@pytest.fixture
def path(store: Path) -> Path:
    """The journal of the store."""
    return journal.path_for(store)


def opened(store: Path) -> Content:
    """The content after an opening, which must be sound and agree with the journal."""
    with open_store(store) as db:
        assert set(results.violations(db).values()) == {0}
        assert frames.scan(journal.path_for(store)).last == recovery.newest(db)
        return content(db)


def all_tables(db: Database) -> None:
    """Work that leaves a record in every table."""
    run = work(db)
    runs.engine_died(db, run, clock.moment(), "gone", 3)
    runs.engine_started(db, run, clock.moment(), clock.moment(), {"device": None})
    field_groups.keep(db, ["t", "ü"])
    runs.forecast(db, run, {"hits": 0.5})
    input_profiles.keep(db, "digest", "", {"rows": 3}, {"inputs": 0})
    assert runs.reopen(db, runs.dead(db, [])) == 1
    runs.end(db, run, "finished", 0, {"generate": 0.25})


def test_a_store_is_made_again_of_its_journal(store: Path) -> None:
    with open_store(store) as db:
        all_tables(db)
        former = content(db)
    assert all(former.values())
    store.unlink()
    with open_store(store) as db:
        assert content(db) == former
    with open_store(store) as db:
        assert content(db) == former
        assert runs.begin(db, 1, clock.moment(), {}) == 3


@pytest.mark.parametrize("window", [1, 2, 20_000])
def test_a_journal_is_made_again_of_its_store(
    store: Path, path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(recovery, "_WINDOW", window)
    with open_store(store) as db:
        all_tables(db)
        former = content(db)
    path.unlink()
    assert opened(store) == former
    with open_store(store) as db:
        work(db, "d" * 32)
        later = content(db)
    store.unlink()
    with open_store(store) as db:
        assert content(db) == later


@pytest.mark.parametrize("size", [1, 1_000, 2**24])
def test_frames_that_the_store_lacks_are_replayed_once(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(recovery, "_REPLAYED_AT_ONCE", size)
    shutil.copy(store, tmp_path / "former")
    with open_store(store) as db:
        all_tables(db)
        whole = content(db)
    shutil.copy(tmp_path / "former", store)
    assert opened(store) == whole
    assert opened(store) == whole


def test_a_lost_log_loses_nothing(store: Path) -> None:
    """The store opens without its write-ahead log, but without what stood there, too."""
    with open_store(store) as db:
        all_tables(db)
        whole = content(db)
        assert store.with_name("job.duckdb.wal").stat().st_size
        left = Path(shutil.copytree(store.parent, store.parent.with_name("left")))
    (left / "job.duckdb.wal").unlink()
    assert opened(left / store.name) == whole


def test_a_journal_behind_its_store_is_written_anew(
    tmp_path: Path, store: Path, path: Path
) -> None:
    shutil.copy(path, tmp_path / "former")
    with open_store(store) as db:
        all_tables(db)
        whole = content(db)
        newest = recovery.newest(db)
    shutil.copy(tmp_path / "former", path)
    assert opened(store) == whole
    assert frames.scan(path).first > newest + 1


def test_a_store_of_the_former_version_gets_its_journal(store: Path, path: Path) -> None:
    with open_store(store) as db:
        whole = content(db)
        db.execute("DELETE FROM commits")
    path.unlink()
    assert opened(store) == whole
    assert opened(store) == whole


def test_opening_an_agreeing_store_writes_no_byte_of_the_journal(store: Path, path: Path) -> None:
    before = path.read_bytes(), path.stat().st_mtime_ns
    opened(store)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_reading_makes_no_journal(store: Path, path: Path) -> None:
    path.unlink()
    with open_store(store, read_only=True) as db:
        assert results.counts(db).answered == 2
    assert not path.exists()


def test_a_torn_last_frame_is_cut_off(store: Path, path: Path) -> None:
    whole = path.read_bytes()
    with open_store(store, read_only=True) as db:
        former = content(db)
    path.write_bytes(whole + frames.encode(99, {"runs": {}})[:40])
    assert opened(store) == former
    assert path.read_bytes() == whole


def test_a_torn_last_frame_that_the_store_holds_is_written_anew(store: Path, path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)
    with open_store(store, read_only=True) as db:
        former = content(db)
    assert opened(store) == former


def damage_header(path: Path, frame: int) -> None:
    place = -1
    data = bytearray(path.read_bytes())
    for _ in range(frame):
        place = data.index(b"LBFRAME2", place + 1)
    data[place] ^= 0xFF
    path.write_bytes(data)


def test_damage_in_the_middle_is_healed_from_a_store_that_holds_all(
    store: Path, path: Path
) -> None:
    with open_store(store, read_only=True) as db:
        former = content(db)
    damage_header(path, 2)
    assert opened(store) == former


def test_damage_in_the_middle_is_told_when_the_store_lacks_what_follows(
    tmp_path: Path, store: Path, path: Path
) -> None:
    shutil.copy(store, tmp_path / "former")
    with open_store(store) as db:
        all_tables(db)
    shutil.copy(tmp_path / "former", store)
    damage_header(path, 8)
    before = path.read_bytes()
    with pytest.raises(DamagedError, match=f"damaged in the middle.*llmbatch repair {tmp_path}"):
        open_store(store)
    assert path.read_bytes() == before


def test_a_store_from_before_its_journal_is_refused(
    tmp_path: Path, store: Path, path: Path
) -> None:
    """It holds a part of what the rewritten journal holds: replaying would double it."""
    shutil.copy(store, tmp_path / "former")
    path.unlink()
    opened(store)
    shutil.copy(tmp_path / "former", store)
    with pytest.raises(DamagedError, match=r"older than its journal.*llmbatch repair"):
        open_store(store)


def test_a_log_without_its_store_is_put_aside(store: Path) -> None:
    store.unlink()
    stray = store.with_name("job.duckdb.wal")
    stray.write_bytes(b"the log of another store")
    opened_runs = opened_without_plan(store)
    assert opened_runs == 1
    assert store.with_name("job.duckdb.wal.damaged").read_bytes() == b"the log of another store"


def opened_without_plan(store: Path) -> int:
    with open_store(store) as db:
        return int(db.scalar("SELECT count(*) FROM runs"))


class FailingCommit:
    """A connection whose next COMMIT fails, before or after it has happened."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, happens: bool) -> None:
        self._connection = connection
        self._happens = happens

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        if sql == "COMMIT":
            if self._happens:
                self._connection.execute(sql)
            raise duckdb.IOException("No space left on device")
        return self._connection.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize(
    "act",
    [
        lambda db: runs.engine_died(db, 1, clock.moment(), "gone", 3),
        lambda db: runs.reopen(db, runs.dead(db, ["truncated"])),
    ],
)
def test_what_is_in_the_journal_counts_though_its_commit_failed(
    store: Path, happens: bool, act: Callable[[Database], object]
) -> None:
    db = open_store(store)
    former = content(db)
    db._connection = FailingCommit(db._connection, happens=happens)  # type: ignore[assignment]
    with pytest.raises(UnwrittenError, match="No space left"):
        act(db)
    with pytest.raises(UnwrittenError, match="run the same command again"):
        runs.end(db, 1, "finished", 0, {})
    db.close()
    later = opened(store)
    assert sum(map(len, later.values())) == sum(map(len, former.values())) + 1


def test_dead_requests_are_reopened_by_kind(healthy: Database) -> None:
    assert runs.reopen(healthy, runs.dead(healthy, ["template"])) == 0
    assert runs.reopen(healthy, runs.dead(healthy, ["truncated"])) == 1
    assert runs.reopen(healthy, runs.dead(healthy, [])) == 0
    assert results.counts(healthy) == results.Counts(answered=2, failed=1, pending=2, rejected=1)
    work(healthy, B, attempt=2)
    assert results.counts(healthy) == results.Counts(answered=3, failed=1, pending=1, rejected=1)
    assert set(results.violations(healthy).values()) == {0}


def test_a_reopening_counts_the_rows_of_a_shared_request(healthy: Database) -> None:
    healthy.execute("UPDATE requests SET copies = 3 WHERE key = CAST(? AS UUID)", [B])
    assert runs.reopen(healthy, runs.dead(healthy, [])) == 3


def test_what_was_forgotten_comes_back_from_neither(store: Path, path: Path) -> None:
    with open_store(store) as db:
        recovery.forget_runs(db)
        assert not recovery.has_work(db)
        assert path.stat().st_size == 0, "what was forgotten is still in the journal"
        work(db)
    found = opened(store)
    assert frames.scan(path).beyond == 0
    assert [len(found["runs"]), len(found["attempts"])] == [1, 1]
    store.unlink()
    assert opened(store) == found


def test_a_death_amid_forgetting_has_forgotten(store: Path, path: Path) -> None:
    """The store has forgotten and its journal has not."""
    with open_store(store) as db:
        recovery.empty_durable_tables(db)
    assert frames.scan(path).last > 0
    with open_store(store) as db:
        assert not recovery.has_work(db)
        assert results.counts(db).pending > 0
        work(db)
    assert len(opened(store)["attempts"]) == 1
    assert frames.scan(path).beyond == 0
