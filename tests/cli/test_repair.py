"""`llmbatch repair`, as it is met after a power cut."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import Job, QuickJob

ROWS = 30


@pytest.fixture
def stopped(job: Job) -> Job:
    """A job whose run was killed after some checkpoints."""
    rows = "".join(f"{number},text {number}\n" for number in range(ROWS))
    job.write("in.csv", "id,text\n" + rows)
    killed = job.run("--checkpoint-rows", "4", engine="kill_after=18 delay=0.02")
    assert killed.code == -9
    job.computed()
    return job


def damage(store: Path) -> None:
    content = bytearray(store.read_bytes())
    content[4096 * 3 :: 64] = bytes(len(content[4096 * 3 :: 64]))
    content[:4096] = os.urandom(4096)
    store.write_bytes(content)


def test_after_a_repair_the_same_command_goes_on(stopped: Job) -> None:
    store = stopped.state / "job.duckdb"
    damage(store)
    refused = stopped.run("--checkpoint-rows", "4")
    assert refused.code == 2
    assert refused.error.startswith("out.llmbatch/job.duckdb: the store cannot be opened: ")
    assert "its journal holds the answers: llmbatch repair out.llmbatch" in refused.error
    repaired = stopped.command("repair", "out.jsonl")
    assert repaired.code == 0
    assert "out.llmbatch/job.duckdb.damaged: damaged, kept under this name" in repaired.stderr
    assert "the store holds 16 answers" in repaired.stderr
    assert "run the same command as before" in repaired.stderr
    assert stopped.run("--checkpoint-rows", "4").code == 0
    assert stopped.computed() == ROWS - 16
    assert [json.loads(record["id"]) for record in stopped.records()] == list(range(ROWS))
    assert stopped.command("check", "out.jsonl").code == 0


@pytest.mark.parametrize("lost", ["job.duckdb.wal", "job.duckdb"])
def test_a_file_that_is_gone_costs_no_answer(stopped: Job, lost: str) -> None:
    (stopped.state / lost).unlink()
    assert stopped.run("--checkpoint-rows", "4").code == 0
    assert stopped.computed() == ROWS - 16
    assert len(stopped.records()) == ROWS
    assert stopped.command("check", "out.jsonl").code == 0


def test_a_job_is_found_by_its_journal_alone(stopped: Job) -> None:
    (stopped.state / "job.duckdb").unlink()
    for name in ("out.jsonl", "out.llmbatch"):
        assert stopped.command("repair", name).code == 0
    assert "the store is whole" in stopped.command("repair", "out.jsonl").stderr


def test_a_sound_job_is_left_as_it_is(job: Job) -> None:
    assert job.run().code == 0
    files = ("job.duckdb", "journal")
    before = [(job.state / name).read_bytes() for name in files]
    done = job.command("repair", "out.jsonl")
    assert done.code == 0
    assert "the store is whole and agrees with its journal; nothing was changed" in done.stderr
    assert [(job.state / name).read_bytes() for name in files] == before


def test_a_job_that_runs_is_not_repaired(job: Job) -> None:
    with job.start(engine="delay=3") as running:
        running.until_answered(1)
        assert job.command("repair", "out.jsonl").code == 75


def test_without_journal_and_store_there_is_one_clear_error(stopped: Job) -> None:
    (stopped.state / "journal").unlink()
    (stopped.state / "job.duckdb").write_bytes(b"")
    assert "llmbatch repair" not in stopped.run().error
    failed = stopped.command("repair", "out.jsonl")
    assert failed.code == 2
    assert "nothing can be recovered; move the state folder away" in failed.error


def test_fresh_starts_anew_where_nothing_can_be_opened(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    before = quick.output.read_bytes()
    (quick.state / "job.duckdb").write_bytes(b"no database")
    (quick.state / "journal").write_bytes(b"no journal")
    refused = quick.run("-q")
    assert refused.code == 2
    assert quick.run("-q", "--fresh").code == 0
    assert quick.output.read_bytes() == before
    assert (quick.state / "job.duckdb.damaged").read_bytes() == b"no database"
    assert quick.command("check", "out.jsonl").code == 0


def test_without_a_journal_the_advice_is_to_start_anew(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    (quick.state / "job.duckdb").write_bytes(b"no database")
    (quick.state / "journal").unlink()
    assert "--fresh" in quick.run("-q").error


def test_a_store_that_does_not_know_its_rows_exports_nothing(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    (quick.state / "job.duckdb").unlink()
    assert quick.command("repair", "out.jsonl").code == 0
    for command in (("export", "out.jsonl", "-o", "other.csv"), ("retry", "out.jsonl")):
        refused = quick.command(*command)
        assert (refused.code, "run the job first" in refused.error) == (2, True)
    assert not (quick.folder / "other.csv").exists()
    assert quick.run("-q").code == 0
    assert quick.command("export", "out.jsonl", "-o", "other.csv").code == 0


def test_check_looks_into_the_journal(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    assert quick.command("check", "out.jsonl").code == 0
    with (quick.state / "journal").open("r+b") as journal:
        journal.seek(60)
        journal.write(b"\0\0\0\0")
    found = quick.command("check", "out.jsonl")
    assert (found.code, "FAIL the journal is whole" in found.stdout) == (1, True)
