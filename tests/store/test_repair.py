"""A store that cannot be opened is made again of its journal, and nothing is thrown away."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.core import clock
from llmbatch.core.errors import LockedError, StoreError
from llmbatch.core.outcomes import Verdict
from llmbatch.store import journal, recovery, results, runs
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError
from llmbatch.store.opening import open_store
from llmbatch.store.repair import Repair, repair
from llmbatch.store.runs import Attempt

Spawn = Callable[[str], object]


def scribble(path: Path, first: int, step: int) -> None:
    content = bytearray(path.read_bytes())
    for place in range(first, len(content), step):
        content[place] ^= 0xFF
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "emptied": lambda path: os.truncate(path, 0),
    "cut short": lambda path: os.truncate(path, 10_000),
    "headers": lambda path: scribble(path, 0, 100),
    "blocks": lambda path: scribble(path, 3 * 4096, 512),
}


@pytest.fixture
def store(tmp_path: Path, healthy: Database) -> Path:
    """A healthy store, closed."""
    healthy.compact()
    healthy.close()
    return tmp_path / "job.duckdb"


@pytest.fixture
def path(store: Path) -> Path:
    """The journal of the store."""
    return journal.path_for(store)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def frames(path: Path) -> list[int]:
    """The beginnings of a journal's frames (bytes)."""
    content = path.read_bytes()
    return [place for place in range(len(content)) if content.startswith(b"LBFRAME2", place)]


def work_of(store: Path) -> list[int]:
    """The number of records in each durable table; the store must be sound."""
    with open_store(store) as db:
        assert set(results.violations(db).values()) == {0}
        return [int(db.scalar(f"SELECT count(*) FROM {name}")) for name in recovery.DURABLE]


def test_a_sound_store_is_left_as_it_is(tmp_path: Path, store: Path) -> None:
    before = files_of(tmp_path)
    assert repair(store) == Repair(sound=True, answers=1)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_made_again(tmp_path: Path, store: Path, damage: str) -> None:
    former = work_of(store)
    DAMAGES[damage](store)
    damaged = store.read_bytes()
    kept = tmp_path / "job.duckdb.damaged"
    assert repair(store) == Repair(sound=False, answers=1, replayed=5, kept=(kept,))
    assert kept.read_bytes() == damaged
    assert work_of(store) == former
    assert repair(store) == Repair(sound=True, answers=1)


def test_damage_that_only_reading_meets_is_found(store: Path) -> None:
    with open_store(store) as db:
        run = runs.begin(db, 1, clock.moment(), {})
        texts = (random.Random(n).randbytes(500).hex() for n in range(2000))
        done = [
            Attempt(f"{n:032x}", 1, Verdict.ANSWERED, None, None, "stop", text, 1, 0, 1)
            for n, text in enumerate(texts)
        ]
        runs.checkpoint(db, run, 1, done, {})
        db.compact()
    whole = store.read_bytes()
    for place in range(3 * 4096 + 9000, len(whole), 2**18):
        store.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        if opens_but_cannot_be_read(store):
            break
    found = repair(store)
    assert (found.sound, found.answers) == (False, 2001)
    assert found.kept == (store.with_name("job.duckdb.damaged"),)


def opens_but_cannot_be_read(store: Path) -> bool:
    try:
        db = open_store(store, read_only=True)
    except DamagedError:
        return False
    with db:
        try:
            db.scalar("SELECT sum(length(answer)) FROM attempts")
        except DamagedError as error:
            advice = f"its journal holds the answers: llmbatch repair {store.parent}"
            assert str(error).endswith(advice)
            return True
    return False


@pytest.mark.parametrize("damage", ["emptied", "cut short", "headers"])
@pytest.mark.parametrize("read_only", [True, False])
def test_the_error_of_a_damaged_store_names_the_command(
    tmp_path: Path, store: Path, damage: str, read_only: bool
) -> None:
    DAMAGES[damage](store)
    with pytest.raises(DamagedError, match=f"llmbatch repair {tmp_path}$"):
        open_store(store, read_only=read_only)


def test_the_log_is_put_aside_with_its_store(tmp_path: Path, store: Path) -> None:
    log = store.with_name("job.duckdb.wal")
    log.write_bytes(b"torn")
    os.truncate(store, 0)
    kept = repair(store).kept
    assert [path.name for path in kept] == ["job.duckdb.wal.damaged", "job.duckdb.damaged"]
    assert kept[0].read_bytes() == b"torn"
    assert not log.exists()


def test_a_second_damage_keeps_the_first(tmp_path: Path, store: Path) -> None:
    for content, name in ((b"one", ".damaged"), (b"two", ".damaged.2"), (b"3", ".damaged.3")):
        store.write_bytes(content)
        assert repair(store).kept == (tmp_path / f"job.duckdb{name}",)
        assert (tmp_path / f"job.duckdb{name}").read_bytes() == content
    assert (tmp_path / "job.duckdb.damaged").read_bytes() == b"one"


def test_a_store_that_is_gone_is_made_again(store: Path) -> None:
    former = work_of(store)
    store.unlink()
    assert repair(store) == Repair(sound=False, answers=1, replayed=5)
    assert work_of(store) == former


def test_a_store_that_lacks_frames_gets_them(store: Path, path: Path) -> None:
    former = store.read_bytes()
    with open_store(store) as db:
        runs.end(db, runs.begin(db, 1, clock.moment(), {}), "stopped", 4, {})
    whole = work_of(store)
    store.write_bytes(former)
    assert repair(store) == Repair(sound=False, answers=1, replayed=2)
    assert work_of(store) == whole


def test_a_journal_that_is_gone_is_written_anew(store: Path, path: Path) -> None:
    path.unlink()
    assert repair(store) == Repair(sound=False, answers=1, rewritten=True)
    assert repair(store).sound


def test_a_frame_that_was_never_finished_is_told(store: Path, path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"LBFRAME2 and a bit")
    assert repair(store) == Repair(sound=False, answers=1, torn=18)
    assert repair(store).sound


def test_damage_in_the_journal_is_healed_from_the_store(store: Path, path: Path) -> None:
    scribble(path, frames(path)[1] - 1, 10**9)
    damaged = path.read_bytes()
    kept = path.with_name("journal.damaged")
    assert repair(store) == Repair(sound=False, answers=1, rewritten=True, kept=(kept,))
    assert kept.read_bytes() == damaged
    store.unlink()
    assert repair(store).answers == 1


def test_of_a_damaged_journal_all_whole_frames_are_saved(
    tmp_path: Path, store: Path, path: Path
) -> None:
    former = work_of(store)
    store.write_bytes(b"no store")
    scribble(path, frames(path)[3] + 9, 10**9)
    found = repair(store)
    assert (found.answers, found.lost, found.unread) == (1, 1, recovery.DURABLE)
    assert found.kept == (tmp_path / "job.duckdb.damaged", tmp_path / "journal.damaged")
    lost = dict(zip(recovery.DURABLE, former, strict=True)) | {"checkpoints": 1, "attempts": 1}
    assert dict(zip(recovery.DURABLE, work_of(store), strict=True)) == lost
    assert repair(store).sound


def test_a_store_older_than_its_journal_is_made_again(store: Path, path: Path) -> None:
    former = store.read_bytes()
    path.unlink()
    whole = work_of(store)
    store.write_bytes(former)
    assert repair(store).kept == (store.with_name("job.duckdb.damaged"),)
    assert work_of(store) == whole


def test_without_a_journal_nothing_is_touched(tmp_path: Path, store: Path, path: Path) -> None:
    path.unlink()
    store.write_bytes(b"no store")
    with pytest.raises(StoreError, match=r"neither .*: nothing can be recovered; move .* away"):
        repair(store)
    assert files_of(tmp_path) == {"job.duckdb": b"no store"}


def test_a_power_cut_in_the_first_plan_leaves_an_empty_store(tmp_path: Path) -> None:
    store = tmp_path / "job.duckdb"
    open_store(store).close()
    child = f"""
import os
from pathlib import Path
from llmbatch.store.opening import open_store
db = open_store(Path({str(store)!r}))
for statement in (
    "CREATE TABLE planned AS SELECT range AS number FROM range(100)",
    "CREATE TABLE noted AS SELECT range AS number FROM range(100)",
):
    db.execute(statement)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", child], check=True)
    log = store.with_name("job.duckdb.wal")
    # A sector that never came to the disk, well before the last entry.
    content = bytearray(log.read_bytes())
    content[300:400] = bytes(100)
    log.write_bytes(content)
    with pytest.raises(DamagedError, match="llmbatch repair"):
        open_store(store)
    done = repair(store)
    assert (done.sound, done.answers, done.unread) == (False, 0, ())
    assert log.with_name(log.name + ".damaged").read_bytes() == bytes(content)
    assert set(work_of(store)) == {0}


def test_a_store_that_never_had_a_frame_begins_anew(tmp_path: Path) -> None:
    store = tmp_path / "job.duckdb"
    open_store(store).close()
    assert journal.path_for(store).stat().st_size == 0
    DAMAGES["blocks"](store)
    damaged = store.read_bytes()
    done = repair(store)
    assert (done.sound, done.answers) == (False, 0)
    assert store.with_name("job.duckdb.damaged").read_bytes() == damaged
    assert set(work_of(store)) == {0}


def test_a_store_of_a_newer_version_is_no_damage(tmp_path: Path, store: Path) -> None:
    with open_store(store) as db:
        db.execute("INSERT INTO migrations VALUES (99, now()::TIMESTAMP)")
    before = files_of(tmp_path)
    with pytest.raises(StoreError, match="newer llmbatch"):
        repair(store)
    assert files_of(tmp_path) == before


def test_a_store_in_use_is_no_damage(tmp_path: Path, store: Path, spawn: Spawn) -> None:
    spawn(
        "import sys; from pathlib import Path; from llmbatch.store.opening import open_store\n"
        f"db = open_store(Path({str(store)!r})); print('ready', flush=True); sys.stdin.read()"
    )
    with pytest.raises(LockedError):
        repair(store)
    assert not (tmp_path / "job.duckdb.damaged").exists()
