"""`llmbatch repair`, as it is met after a power cut."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import Job

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
