"""DuckDB's errors are reported by their cause, with every DuckDB of the supported range."""

import errno
import os
import random
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from llmbatch.core.errors import LlmbatchError, LockedError, StoreError, UnwrittenError
from llmbatch.store import faults, lock
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError
from llmbatch.store.opening import open_store
from llmbatch.store.repair import repair

Spawn = Callable[[str], "subprocess.Popen[str]"]
BLOCK = 4096


@pytest.fixture
def store(tmp_path: Path, healthy: Database) -> Path:
    """A store of several blocks, closed."""
    rng = random.Random(1)
    for _ in range(40):
        texts = [rng.randbytes(200).hex() for _ in range(100)]
        healthy.execute("INSERT INTO rejects SELECT 9, 9, 'x', unnest(?), 0", [texts])
    healthy.compact()
    healthy.close()
    return tmp_path / "job.duckdb"


def read_all(store: Path, *, read_only: bool) -> None:
    with open_store(store, read_only=read_only) as db:
        db.read_all()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("zeroed", [True, False])
def test_damage_is_told_as_damage_or_harms_nothing(
    store: Path, read_only: bool, zeroed: bool
) -> None:
    """A full disk is said to be safe, and the same command to mend it: damage must not be."""
    whole = store.read_bytes()
    told = 0
    for place in range(BLOCK // 2, len(whole), len(whole) // 12):
        content = bytearray(whole)
        if zeroed:
            content[place : place + BLOCK] = bytes(len(content[place : place + BLOCK]))
        else:
            content[place] ^= 0x10
        store.write_bytes(content)
        try:
            read_all(store, read_only=read_only)
        except LlmbatchError as error:
            assert isinstance(error, DamagedError), error
            assert f"llmbatch repair {store.parent}" in str(error)
            told += 1
    assert told


def test_a_damaged_log_is_told_as_damage(tmp_path: Path, healthy: Database) -> None:
    for number in range(20):
        healthy.execute("INSERT INTO rejects VALUES (1, ?, 'x', repeat('y', 99), 0)", [number + 9])
    log = tmp_path / "job.duckdb.wal"
    # As they are while the store is open: closing it folds the log into the file.
    whole, store = log.read_bytes(), (tmp_path / "job.duckdb").read_bytes()
    healthy.close()
    told = 0
    for place in range(len(whole) // 9, len(whole), len(whole) // 9):
        (tmp_path / "job.duckdb").write_bytes(store)
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        # A length that is damaged looks like a log that was cut off, which is no error.
        try:
            read_all(tmp_path / "job.duckdb", read_only=True)
        except LlmbatchError as error:
            assert isinstance(error, DamagedError), error
            told += 1
    assert told


def test_a_journal_is_not_written_anew_of_a_store_that_is_damaged_too(store: Path) -> None:
    """Opening a store reads some of it only: the rest must be whole before it is trusted."""
    journal, whole = store.with_name("journal"), store.read_bytes()
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    journal.write_bytes(damaged)
    told = []
    for place in range(BLOCK // 2, len(whole), len(whole) // 12):
        store.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with suppress(DamagedError):
            read_all(store, read_only=True)
            continue  # nothing is stored in this place
        with pytest.raises(DamagedError, match=f"llmbatch repair {store.parent}") as caught:
            open_store(store)
        told.append("both damaged" in str(caught.value))
        assert journal.read_bytes() == damaged
        assert not store.with_name("journal.damaged").exists()
    assert any(told)
    store.write_bytes(whole)
    with open_store(store) as db:
        assert db.recovery.rewritten
    assert store.with_name("journal.damaged").read_bytes() == damaged


@pytest.mark.parametrize("read_only", [True, False])
def test_a_lock_is_told_with_its_holder(store: Path, spawn: Spawn, read_only: bool) -> None:
    holder = spawn(
        "import sys; from pathlib import Path; from llmbatch.store.opening import open_store\n"
        f"db = open_store(Path({str(store)!r})); print('ready', flush=True); sys.stdin.read()"
    )
    if lock.other_holder(store) is not None:  # not on every file system
        assert lock.other_holder(store) == holder.pid
    with pytest.raises(LockedError, match=rf"\(pid {holder.pid}\)"):
        open_store(store, read_only=read_only)


def test_the_name_of_a_store_is_not_taken_for_what_is_wrong_with_it(
    store: Path, spawn: Spawn
) -> None:
    """A lock is no damage, even if the path has such words: nothing may be put aside for it."""
    folder = store.parent / "Corrupt, replaying WAL, No space left on device"
    folder.mkdir()
    named = store.rename(folder / "Corrupt.duckdb")
    spawn(
        "import sys; from pathlib import Path; from llmbatch.store.opening import open_store\n"
        f"db = open_store(Path({str(named)!r})); print('ready', flush=True); sys.stdin.read()"
    )
    with pytest.raises(LockedError):
        open_store(named, read_only=True)


def test_what_this_process_holds_is_held_by_no_other(store: Path) -> None:
    with open_store(store):
        assert lock.other_holder(store) is None


@pytest.fixture
def file_size() -> Iterator[Callable[[int], None]]:
    """Lets no file of this process grow beyond a size: a disk that fills up."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_full_disk_is_no_damage(store: Path, file_size: Callable[[int], None]) -> None:
    db = open_store(store)
    file_size(store.stat().st_size // 2)
    with pytest.raises(UnwrittenError, match="what was committed is safe, run the same command"):
        for number in range(500):
            db.execute(
                "INSERT INTO rejects SELECT 9, 9, 'x', hash(i + ?)::VARCHAR || repeat('z', 99), 0"
                " FROM range(2000) AS r(i)",
                [number],
            )
    db.close()
    file_size(10**10)
    read_all(store, read_only=False)


def test_a_disk_too_full_to_make_a_store_is_no_damage(
    tmp_path: Path, file_size: Callable[[int], None]
) -> None:
    file_size(20_000)
    with pytest.raises(UnwrittenError, match="run the same command again"):
        open_store(tmp_path / "job.duckdb")


UNKNOWN = duckdb.IOException("IO Error: something that no version has said yet")


def test_an_unknown_error_of_opening_is_not_called_damage(store: Path) -> None:
    words = "nothing was changed, try it again"
    with pytest.raises(StoreError, match=words) as caught, faults.openable(store):
        raise UNKNOWN
    assert not isinstance(caught.value, DamagedError)


def test_an_unknown_error_about_a_file_that_is_no_store_is_damage(tmp_path: Path) -> None:
    (tmp_path / "job.duckdb").write_bytes(b"something else")
    with pytest.raises(DamagedError), faults.openable(tmp_path / "job.duckdb"):
        raise UNKNOWN


def test_an_unknown_error_of_a_statement_names_both_ways_out(store: Path) -> None:
    words = "run the same command again; if it says the same"
    with pytest.raises(UnwrittenError, match=words), faults.reported(store):
        raise UNKNOWN


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS])
def test_trouble_of_the_machine_is_no_damage(store: Path, number: int) -> None:
    error = duckdb.IOException(f"Could not read all of it, Corrupt: {os.strerror(number)}")
    for guard in (faults.openable, faults.reported):
        with pytest.raises(LlmbatchError) as caught, guard(store):
            raise error
        assert not isinstance(caught.value, DamagedError)


def test_a_repair_puts_nothing_aside_for_what_is_no_damage(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may open everything")
    store.chmod(0)
    with pytest.raises(StoreError):
        repair(store)
    assert store.exists()
