"""A job as other commands see it while it runs, and after it was killed."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.cli.command import Job, Running


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Running]]:
    """A job that has answered something and has enough left for a minute."""
    job = Job(tmp_path_factory.mktemp("busy"))
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(2000)))
    job.write(
        "job.toml", 'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "Say {{ text }}"'
    )
    with job.start("--checkpoint-seconds", "0.2", engine="delay=0.03") as running:
        running.until_answered(10)
        yield job, running


def test_status_tells_of_the_run(busy: tuple[Job, Running]) -> None:
    job, running = busy
    seen = job.command("status", "out.jsonl")
    assert (seen.code, seen.stderr) == (0, "")
    first, rows, speed, *others, last = seen.stdout.splitlines()
    who = f"pid {running.process.pid} on {socket.gethostname()}, since "
    assert first.startswith(f"running: generating ({who}")
    assert "/2,000 rows (" in rows
    assert " left" in speed
    assert [line.split()[0] for line in others] == ["engine", "machine", "time"]
    assert last.startswith("as of ")


def test_a_second_run_is_sent_away_with_the_name_of_the_first(busy: tuple[Job, Running]) -> None:
    job, running = busy
    second = job.run()
    assert second.code == 75
    assert f"pid {running.process.pid} on {socket.gethostname()} since " in second.error
    assert running.process.poll() is None


def test_the_store_cannot_be_opened_meanwhile(busy: tuple[Job, Running]) -> None:
    job, _ = busy
    sent_away = job.command("check", "job.toml")
    assert (sent_away.code, sent_away.stdout) == (75, "")
    assert sent_away.stderr.count("\n") == 1
    assert "job.duckdb: another process has the store open" in sent_away.error


def test_outputs_and_reports_read_a_copy_that_the_run_makes(busy: tuple[Job, Running]) -> None:
    job, running = busy
    said = "llmbatch: a run is at work: this is what it had committed just now"
    exported = job.command("export", "out.jsonl", "-o", "-", "--columns", "id")
    assert (exported.code, exported.stderr.splitlines()[0]) == (0, said)
    first = len(exported.stdout.splitlines())
    assert 1 <= first < 2000
    reported = job.command("report", "out.jsonl", "--format", "json")
    assert (reported.code, reported.stderr) == (0, f"{said}\n")
    counts = json.loads(reported.stdout)["counts"]
    assert first <= counts["answered"] < 2000
    assert counts["answered"] + counts["pending"] == 2000
    assert running.process.poll() is None


def test_the_newest_answers_are_shown_while_it_runs(busy: tuple[Job, Running]) -> None:
    job, _ = busy
    shown = job.command("tail", "out.jsonl", "-n", "2")
    assert (shown.code, shown.stderr) == (0, "")
    assert [line.split()[1] for line in shown.stdout.splitlines()] == ["answered"] * 2
    assert "1 tokens" not in shown.stdout


def test_a_plan_says_that_it_cannot_know_what_is_reused(busy: tuple[Job, Running]) -> None:
    job, _ = busy
    plan = job.command("plan", *job.arguments()[1:])
    assert (plan.code, plan.stderr) == (0, "")
    assert "2,000 distinct" in plan.stdout
    assert "a run holds the job" in plan.stdout


def test_after_a_kill_the_status_says_so(busy: tuple[Job, Running]) -> None:
    job, running = busy
    running.process.kill()
    running.process.wait()
    seen = job.command("status", "out.llmbatch")
    assert seen.code == 0
    assert seen.stdout.startswith("killed while generating (pid ")
    assert "run the same command again" in seen.stdout
    assert not job.output.exists()
    answered = int(job.command("report", "job.toml").stdout.split(" in = ")[1].split()[0])
    assert answered >= 1
    partial = job.command("export", "out.jsonl", "-o", "now.csv")
    assert f"{answered:,} answered rows of 2,000 written to now.csv" in partial.stderr
    assert len((job.folder / "now.csv").read_text().splitlines()) == answered + 1


def test_commands_about_no_job_say_so(job: Job) -> None:
    missing = job.command("status", "nope.jsonl")
    assert missing.code == 2
    assert "nope.jsonl: no job found there" in missing.error
    assert job.names() == {"in.csv"}


def test_check_lists_what_holds(job: Job) -> None:
    assert job.run("-q").code == 0
    checked = job.command("check", "out.llmbatch")
    assert (checked.code, checked.stderr) == (0, "")
    assert all(line.startswith("ok   ") for line in checked.stdout.splitlines())
    assert len(checked.stdout.splitlines()) >= 15
