"""A store opens whole, or is refused with one line that says why."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from llmbatch.core.errors import LockedError, StoreError
from llmbatch.store import opening, results, run_records, statements
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store

Spawn = Callable[[str], "subprocess.Popen[str]"]

HOLD = """
import sys
from pathlib import Path
from llmbatch.store.opening import open_store
db = open_store(Path({path!r}), read_only={read_only})
print("ready", flush=True)
sys.stdin.read()
"""


def refusal(path: Path, *, read_only: bool = False) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(path, read_only=read_only)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_new_store_has_all_tables_and_views(db: Database) -> None:
    db.scalar("SELECT count(*) FROM row_states JOIN pending USING (key)")
    found = {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()")}
    found |= {
        name for (name,) in db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")
    }
    scripts = [statements.load(script) for scripts in opening.MIGRATIONS for script in scripts]
    made = {name for one in scripts for name, text in one.items() if "CREATE TABLE" in text}
    assert found == made | set(statements.load("states.sql"))


def test_a_new_store_is_one_file_beside_its_journal(tmp_path: Path) -> None:
    open_store(tmp_path / "job.duckdb").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.duckdb", "journal"]


def test_the_leftovers_of_a_killed_creation_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "job.duckdb.new").write_bytes(b"half a store")
    (tmp_path / "job.duckdb.new.wal").write_bytes(b"half a log")
    open_store(tmp_path / "job.duckdb").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.duckdb", "journal"]


def test_a_path_may_have_quotes_and_blanks(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "job"'
    folder.mkdir()
    with open_store(folder / "job.duckdb") as database:
        assert database.scalar("SELECT count(*) FROM rows") == 0


def test_what_was_written_is_there_again(tmp_path: Path, healthy: Database) -> None:
    healthy.close()
    for read_only in (True, False):
        with open_store(tmp_path / "job.duckdb", read_only=read_only) as database:
            assert results.counts(database) == results.Counts(1 + 1, 1 + 1, 1, 1)


def test_reading_creates_no_store(tmp_path: Path) -> None:
    assert "there is no store; run the job first" in refusal(tmp_path / "no", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_a_store_that_is_gone_names_its_journal(tmp_path: Path, healthy: Database) -> None:
    healthy.close()
    (tmp_path / "job.duckdb").unlink()
    told = refusal(tmp_path / "job.duckdb", read_only=True)
    assert told.endswith(f"is gone; its journal holds the answers: llmbatch repair {tmp_path}")


def test_a_reader_cannot_write(tmp_path: Path, db: Database) -> None:
    db.close()
    with (
        open_store(tmp_path / "job.duckdb", read_only=True) as reader,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        reader.execute("DELETE FROM rows")


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_that_another_process_writes_is_locked(
    tmp_path: Path, db: Database, spawn: Spawn, read_only: bool
) -> None:
    db.close()
    path = tmp_path / "job.duckdb"
    spawn(HOLD.format(path=str(path), read_only=False))
    with pytest.raises(LockedError, match="another process has the store open"):
        open_store(path, read_only=read_only)


def test_two_processes_may_read(tmp_path: Path, healthy: Database, spawn: Spawn) -> None:
    healthy.close()
    path = tmp_path / "job.duckdb"
    spawn(HOLD.format(path=str(path), read_only=True))
    with open_store(path, read_only=True) as reader:
        assert results.counts(reader).answered == 2


def test_a_killed_writer_leaves_the_store_open_to_the_next(
    tmp_path: Path, healthy: Database, spawn: Spawn
) -> None:
    healthy.close()
    path = tmp_path / "job.duckdb"
    holder = spawn(HOLD.format(path=str(path), read_only=False))
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with open_store(path) as database:
        assert results.counts(database).answered == 2


@pytest.mark.parametrize("content", [b"", b"x" * 20_000, b"not a store"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "job.duckdb"
    path.write_bytes(content)
    refusal(path)
    refusal(path, read_only=True)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


def test_a_store_cut_short_is_refused(tmp_path: Path, healthy: Database) -> None:
    healthy.close()
    path = tmp_path / "job.duckdb"
    os.truncate(path, 10_000)
    refusal(path)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE other (a INTEGER)",
        "CREATE TABLE migrations (version INTEGER)",
        "CREATE TABLE migrations AS SELECT 'twenty' AS version",
    ],
)
def test_a_foreign_database_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "job.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS foreign_one (STORAGE_VERSION 'v1.5.0')")
        connection.execute("USE foreign_one")
        connection.execute(statement)
    assert "is not an llmbatch store" in refusal(path)


def test_a_foreign_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.duckdb"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE migrations (version INTEGER)")
    connection.commit()
    connection.close()
    refusal(path)


def test_damage_met_while_reading_is_told_in_one_line(tmp_path: Path, healthy: Database) -> None:
    healthy.compact()
    healthy.close()
    path = tmp_path / "job.duckdb"
    content = bytearray(path.read_bytes())
    # The headers stay, so that the damage is met later.
    for place in range(3 * 4096, len(content), 512):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught, open_store(path, read_only=True) as database:
        run_records.summaries(database)
    assert "\n" not in str(caught.value)


def test_another_store_can_be_read_beside(tmp_path: Path, healthy: Database) -> None:
    healthy.close()
    (tmp_path / "other").mkdir()
    with open_store(tmp_path / "other/job.duckdb", beside=tmp_path) as database:
        with opening.attached(database, tmp_path / "job.duckdb", "own_store"):
            assert database.scalar("SELECT count(*) FROM own_store.attempts") == 2
        with pytest.raises(duckdb.Error):
            database.scalar("SELECT count(*) FROM own_store.attempts")
