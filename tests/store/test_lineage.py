"""A store and its journal have one history, or are refused; they are never merged in silence."""

import shutil
from pathlib import Path

import pytest

from llmbatch.core import clock
from llmbatch.store import frames, journal, lineage, recovery, runs
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError, ForeignError, Recovery
from llmbatch.store.opening import open_store
from llmbatch.store.repair import repair
from tests.store.older import make_older


def work(store: Path, count: int = 1, note: str = "") -> None:
    with open_store(store) as db:
        for _ in range(count):
            run = runs.begin(db, 1, clock.moment(), {"note": note})
            runs.end(db, run, "stopped", 4, {})


def notes(store: Path) -> list[str]:
    with open_store(store, read_only=True) as db:
        return [spec for (spec,) in db.execute("SELECT spec FROM runs ORDER BY run")]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def store(tmp_path: Path, healthy: Database) -> Path:
    """A healthy store, closed."""
    healthy.close()
    return tmp_path / "job.duckdb"


@pytest.fixture
def other(store: Path, tmp_path: Path) -> Path:
    """A copy of it, with which somebody else goes on."""
    (tmp_path / "other").mkdir()
    for name in ("job.duckdb", "journal"):
        shutil.copy(store.with_name(name), tmp_path / "other" / name)
    return tmp_path / "other/job.duckdb"


def test_a_former_copy_of_the_store_is_given_what_came_since(store: Path, other: Path) -> None:
    work(store, 3)
    whole = notes(store)
    shutil.copy(other, store)
    with open_store(store) as db:
        assert db.recovery == Recovery(replayed=6)
        assert "lacked 6 transactions, taken from its journal" in db.recovery.describe(store)
    assert notes(store) == whole


def test_a_former_copy_of_the_journal_is_written_anew(store: Path, other: Path) -> None:
    work(store, 3)
    shutil.copy(journal.path_for(other), journal.path_for(store))
    with open_store(store) as db:
        assert db.recovery == Recovery(rewritten=True)
        told = f"{journal.path_for(store)}: lacked what the store holds, written anew"
        assert db.recovery.describe(store).startswith(told)


@pytest.mark.parametrize(("here", "there"), [(2, 2), (1, 3), (3, 1)])
def test_two_that_went_different_ways_are_refused(
    store: Path, other: Path, here: int, there: int
) -> None:
    work(store, here, "ours")
    work(other, there, "theirs")
    shutil.copy(journal.path_for(other), journal.path_for(store))
    before = files_of(store.parent)
    parted = frames.scan(journal.path_for(other)).last - 2 * there
    words = f"different histories: they part after transaction {parted}, the store goes on to "
    for attempt in (lambda: open_store(store).close(), lambda: repair(store)):
        with pytest.raises(ForeignError, match=words):
            attempt()
        assert files_of(store.parent) == before


@pytest.mark.parametrize("gone", ["job.duckdb", "journal"])
def test_which_of_the_two_goes_on_is_chosen_by_moving_the_other_away(
    store: Path, other: Path, gone: str
) -> None:
    work(store, 2, "ours")
    work(other, 2, "theirs")
    shutil.copy(journal.path_for(other), journal.path_for(store))
    store.with_name(gone).unlink()
    work(store, 1, "later")
    found = notes(store)
    assert sum("ours" in note for note in found) == (2 if gone == "journal" else 0)
    assert sum("theirs" in note for note in found) == (0 if gone == "journal" else 2)
    store.unlink()
    work(store)
    assert notes(store)[:-1] == found


def test_the_journal_of_another_job_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    work(tmp_path / "foreign/job.duckdb", 5)
    shutil.copy(tmp_path / "foreign/journal", journal.path_for(store))
    with pytest.raises(ForeignError, match="they share nothing"):
        open_store(store)


def test_another_history_is_no_source_for_a_repair(store: Path, other: Path) -> None:
    """The store cannot be continued, and what the journal holds is none of its own."""
    work(store, 2, "ours")
    work(other, 2, "theirs")
    content = bytearray(journal.path_for(other).read_bytes())
    content[60] ^= 1
    journal.path_for(store).write_bytes(content)
    before = files_of(store.parent)
    with pytest.raises(ForeignError):
        repair(store)
    assert files_of(store.parent) == before


def test_older_ones_go_on_by_their_numbers(store: Path) -> None:
    make_older(store, 4)
    before = journal.path_for(store).read_bytes()
    with open_store(store) as db:
        assert db.recovery == Recovery()
        assert lineage.link(db, recovery.newest(db)) is None
    work(store, 1, "later")
    assert journal.path_for(store).read_bytes().startswith(before)
    with open_store(store) as db:
        assert lineage.link(db, recovery.newest(db)) == frames.scan(journal.path_for(store)).link
    whole = notes(store)
    store.unlink()
    open_store(store).close()
    assert notes(store) == whole


def test_an_older_store_is_told_apart_from_then_on(store: Path, other: Path) -> None:
    for one in (store, other):
        make_older(one, 4)
    work(store, 1, "ours")
    work(other, 1, "theirs")
    shutil.copy(journal.path_for(other), journal.path_for(store))
    with pytest.raises(ForeignError):
        open_store(store)


def test_a_journal_of_unknown_descent_is_kept(store: Path) -> None:
    """Older ones have no links: what might be another history is not written over."""
    make_older(store, 4)
    former = journal.path_for(store).read_bytes()
    work(store, 2)
    journal.path_for(store).write_bytes(former)
    with open_store(store) as db:
        kept = store.with_name("journal.damaged")
        assert db.recovery == Recovery(rewritten=True, kept=kept)
    assert kept.read_bytes() == former


@pytest.mark.parametrize("place", [3, -1])
def test_a_damaged_journal_is_written_anew_and_kept(store: Path, place: int) -> None:
    path = journal.path_for(store)
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    kept = path.with_name("journal.damaged")
    with open_store(store) as db:
        assert db.recovery == Recovery(rewritten=True, kept=kept)
        assert db.recovery.describe(store) == (
            f"{path}: was damaged, written anew from the store; what was there is kept as {kept}"
        )
    assert kept.read_bytes() == content
    whole = notes(store)
    store.unlink()
    open_store(store).close()
    assert notes(store) == whole


def test_what_follows_the_damage_is_taken_where_the_store_goes_on(store: Path) -> None:
    former = store.read_bytes()
    work(store, 2)
    whole = notes(store)
    store.write_bytes(former)
    path = journal.path_for(store)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with open_store(store) as db:
        assert (db.recovery.replayed, db.recovery.rewritten) == (4, True)
    assert notes(store) == whole


def test_a_damaged_end_that_nobody_holds_is_told(store: Path) -> None:
    path = journal.path_for(store)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    store.unlink()
    with open_store(store) as db:
        told = db.recovery.describe(store)
    assert "bytes) is no whole transaction (never finished, or damaged), cut off" in told
    assert path.with_name("journal.damaged").exists()


def test_a_store_that_lacks_what_the_journal_has_lost_is_refused(store: Path) -> None:
    former = store.read_bytes()
    work(store, 2)
    store.write_bytes(former)
    path = journal.path_for(store)
    content = path.read_bytes()
    place = content.rindex(b"LBFRAME2", 0, content.rindex(b"LBFRAME2"))
    path.write_bytes(content[: place + 70] + b"????" + content[place + 74 :])
    before = files_of(store.parent)
    with pytest.raises(DamagedError, match="damaged in the middle"):
        open_store(store)
    assert files_of(store.parent) == before
    assert repair(store).lost == 1
