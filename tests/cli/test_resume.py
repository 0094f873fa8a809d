"""Nothing is computed twice, and a run that was stopped goes on where it was."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.cli.command import Job, wait_for

ROWS = [f"{number},text {number}\n" for number in range(1, 13)]


def text(rows: list[str]) -> str:
    return "id,text\n" + "".join(rows)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished job of 12 rows."""
    job = Job(tmp_path_factory.mktemp("finished"))
    job.write("in.csv", text(ROWS))
    assert job.run().code == 0
    assert job.computed() == 12
    return job


@pytest.fixture
def finished(template: Job, tmp_path: Path) -> Job:
    """A copy of the finished job: moving a job's folder is allowed, too."""
    shutil.copytree(template.folder, tmp_path / "job")
    return Job(tmp_path / "job")


def test_the_same_command_again_computes_nothing(finished: Job) -> None:
    before = finished.output.read_bytes()
    finished.output.unlink()
    again = finished.run()
    assert (again.code, finished.computed()) == (0, 0)
    assert finished.output.read_bytes() == before
    assert "12 rows reused from earlier runs" in again.stderr
    assert "starting the engine" not in again.stderr


def test_what_cannot_change_an_answer_computes_nothing(finished: Job) -> None:
    before = finished.output.read_bytes()
    flags = ["--chunk-size", "3", "--checkpoint-rows", "1", "--checkpoint-seconds", "0.1"]
    flags += ["--price-per-hour", "1", "--id-column", "id"]
    again = finished.run(*flags, engine="window=2 order=reverse delay=0.01")
    assert (again.code, finished.computed()) == (0, 0)
    assert finished.output.read_bytes() == before
    again = finished.run("--meta", "--response-column", "said")
    assert (again.code, finished.computed()) == (0, 0)
    assert list(finished.records()[0])[:4] == ["id", "text", "said", "finish_reason"]


def test_what_can_change_an_answer_computes_every_row(finished: Job) -> None:
    changes = (["-p", "Tell {{ text }}"], ["-m", "other"], ["--regex", "a+"])
    for flags in changes:
        assert (finished.run(*flags).code, finished.computed()) == (0, 12), flags
    assert (finished.run(engine="variant=2").code, finished.computed()) == (0, 12)
    # And back: the answers of the first run are still there.
    assert (finished.run().code, finished.computed()) == (0, 0)


def test_a_prompt_that_changes_for_some_rows_computes_only_these(finished: Job) -> None:
    prompt = "Say {{ text }}{% if id in ('3', '7') %} loudly{% endif %}"
    assert (finished.run("-p", prompt).code, finished.computed()) == (0, 2)
    assert len(finished.records()) == 12


def changed(job: Job, rows: list[str]) -> int:
    """Run with other rows; returns how many were computed. Former answers must not change."""
    answers = {record["text"]: record["response"] for record in job.records()}
    job.write("in.csv", text(rows))
    assert job.run().code == 0
    records = job.records()
    assert [f"{record['id']},{record['text']}\n" for record in records] == rows
    kept = [record for record in records if record["text"] in answers]
    assert all(record["response"] == answers[record["text"]] for record in kept)
    return job.computed()


def test_changed_input_computes_the_new_rows_only(finished: Job) -> None:
    appended = [*ROWS, "13,new\n", "14,newer\n"]
    assert changed(finished, appended) == 2
    edited = [*appended[:4], "5,another text\n", *appended[5:]]
    assert changed(finished, edited) == 1
    removed_and_reordered = edited[:3:-1]
    assert changed(finished, removed_and_reordered) == 0


def test_a_renamed_input_of_the_same_content_computes_nothing(finished: Job) -> None:
    (finished.folder / "in.csv").rename(finished.folder / "renamed.csv")
    finished.input = "renamed.csv"
    before = finished.output.read_bytes()
    again = finished.run()
    assert (again.code, finished.computed()) == (0, 0)
    assert finished.output.read_bytes() == before
    assert again.stderr.count("renamed.csv -> out.jsonl") == 1


def test_after_the_engine_died_the_same_command_computes_the_rest(job: Job) -> None:
    job.write("in.csv", text([f"{number},text {number}\n" for number in range(50)]))
    died = job.run("--engine-restarts", "0", engine="die_after=30")
    assert died.code == 5
    assert "engine died: scripted after 30 answers" in died.error
    assert "20 pending" in died.stderr
    assert job.computed() == 30
    assert not job.output.exists()
    assert job.command("status", "out.jsonl").stdout.startswith("ended: engine died: scripted")
    again = job.run(engine="die_after=30")
    assert (again.code, job.computed()) == (0, 20)
    assert len(job.records()) == 50


def test_an_engine_that_does_not_start_is_told_in_one_line(job: Job) -> None:
    failed = job.run("-q", engine="start_error=broken")
    assert failed.code == 5
    assert failed.error == "broken"
    assert not job.output.exists()
    assert job.run("-q").code == 0


SLOW = text([f"{number},text {number}\n" for number in range(200)])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_drains_and_the_same_command_resumes(
    job: Job, number: signal.Signals, code: int
) -> None:
    job.write("in.csv", SLOW)
    with job.start(engine="delay=0.02") as running:
        running.until_answered(20)
        running.signal(number)
        stopped = running.wait()
    assert stopped.code == code
    assert "run the same command again" in stopped.stderr.splitlines()[-1]
    assert not job.output.exists()
    left = job.report()["counts"]["pending"]
    assert 0 < left <= 180
    # What was in flight has drained: every answer computed is in the store.
    assert job.computed() == 200 - left
    status = job.command("status", "out.jsonl")
    assert f"ended: stopped by a signal, exit code {code}" in status.stdout
    assert (job.run().code, job.computed()) == (0, left)
    assert len(job.records()) == 200


def test_a_second_signal_does_not_wait_for_what_is_in_flight(job: Job) -> None:
    job.write("in.csv", SLOW)
    # To drain these thirty would take fifteen seconds.
    with job.start(engine="delay=0.5 window=30") as running:
        running.until_answered(1)
        running.signal(signal.SIGINT)
        time.sleep(0.5)  # two at the same moment are one to the kernel
        running.signal(signal.SIGINT)
        stopped = running.wait()
    assert stopped.code == 130
    computed = job.computed()
    assert computed < 15
    assert job.report()["counts"]["answered"] == computed


def test_a_signal_while_the_engine_starts_computes_nothing(job: Job) -> None:
    with job.start(engine="start_delay=1.5") as running:
        wait_for(lambda: job.status().get("phase") == "starting the engine")
        running.signal(signal.SIGTERM)
        stopped = running.wait()
    assert stopped.code == 143
    assert job.computed() == 0
    assert not job.output.exists()


def test_two_signals_end_a_run_that_waits_for_its_input(job: Job) -> None:
    job.input = "-"
    with job.start("--input-format", "csv") as running:
        wait_for(lambda: job.status().get("phase") == "reading the input")
        running.signal(signal.SIGTERM)
        time.sleep(0.5)
        running.signal(signal.SIGTERM)
        stopped = running.wait()
    # The second one may find a process that is about to end, with nothing left to put in order.
    assert stopped.code in (143, -signal.SIGTERM)
    assert job.names() == {"in.csv"}
