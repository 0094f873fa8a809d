"""`--metrics-file`: what a monitor sees of runs that went well, and of others."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.command import Job, wait_for

METRICS = ("--metrics-file", "job.prom")


def values(job: Job, name: str = "job.prom") -> dict[str, Any]:
    """Values by name; by their own label where there are several."""
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families((job.folder / name).read_text()):
        for sample in family.samples:
            state = sample.labels.get("state")
            if state is None:
                found[sample.name.removeprefix("llmbatch_")] = sample.value
            else:
                found.setdefault(sample.name.removeprefix("llmbatch_"), {})[state] = sample.value
    return found


def test_a_run_that_went_well(job: Job) -> None:
    assert job.run("-q", *METRICS, "--price-per-hour", "100", engine="delay=0.1").code == 0
    found, report, seen = values(job), job.report(), job.status()
    assert found["rows"] == {"answered": 3, "failed": 0, "pending": 0, "rejected": 0, "skipped": 0}
    assert (found["run_exit_code"], found["run_success"]) == (0, 1)
    assert found["prompt_tokens_total"] == report["last_run"]["prompt_tokens"]
    assert found["output_tokens_total"] == report["last_run"]["output_tokens"]
    assert found["cost_total"] == seen["cost"]
    assert found["cost_total"] == pytest.approx(report["last_run"]["cost"], rel=0.2)
    assert found["run_duration_seconds"] == seen["elapsed_seconds"]
    assert found["last_success_timestamp_seconds"] == found["run_end_timestamp_seconds"]
    assert abs(found["run_end_timestamp_seconds"] - time.time()) < 60
    assert found["cpu_seconds_total"] == seen["resources"]["cpu_seconds"] > 0
    assert found["memory_bytes"] > 10 << 20
    assert found["engine_restarts_total"] == 0


def test_rows_are_told_as_the_report_counts_them(job: Job) -> None:
    job.write("in.csv", "id,text\n1,one\n2,FAIL:x\n3,one\n4,too,many,values\n5,FAIL:x\n6,six\n")
    assert job.run("-q", *METRICS).code == 3
    found, counts = values(job), job.report()["counts"]
    assert (
        found["rows"]
        == {"answered": 3, "failed": 2, "pending": 0, "rejected": 1, "skipped": 0}
        == counts
    )
    assert (found["run_exit_code"], found["run_success"]) == (3, 0)
    assert "last_success_timestamp_seconds" not in found


def test_an_engine_that_does_not_start_is_told_and_the_last_success_kept(job: Job) -> None:
    assert job.run("-q", *METRICS).code == 0
    success = values(job)["last_success_timestamp_seconds"]
    job.write("in.csv", "id,text\n1,other\n")
    assert job.run("-q", *METRICS, engine="start_error=broken").code == 5
    found = values(job)
    assert (found["run_exit_code"], found["rows"]["pending"]) == (5, 1)
    assert found["last_success_timestamp_seconds"] == pytest.approx(success, abs=1)
    # The store knows it, too, should the file be lost.
    (job.folder / "job.prom").unlink()
    assert job.run("-q", *METRICS, engine="start_error=broken").code == 5
    assert values(job)["last_success_timestamp_seconds"] == pytest.approx(success, abs=1)


def test_restarts_are_counted(job: Job) -> None:
    counter = job.folder / "counter"
    engine = f"die_after=1 die_times=1 counter={counter} window=1"
    assert job.run("-q", *METRICS, engine=engine).code == 0
    assert values(job)["engine_restarts_total"] == 1
    assert values(job)["rows"]["answered"] == 3


def test_a_run_that_was_stopped(job: Job) -> None:
    assert job.run("-q", *METRICS, "--max-rows", "1").code == 4
    found = values(job)
    assert (found["run_exit_code"], found["rows"]["answered"], found["rows"]["pending"]) == (
        4,
        1,
        2,
    )


def test_a_job_that_cannot_be_used(job: Job) -> None:
    assert job.run("-q", *METRICS, "-p", "{{ nothing }}").code == 2
    found = values(job)
    assert (found["run_exit_code"], found["run_success"]) == (2, 0)
    assert not job.state.exists()


def test_a_job_file_names_it_from_its_own_folder(job: Job) -> None:
    job.write(
        "sub/job.toml",
        'input = "../in.csv"\noutput = "../out.jsonl"\nmodel = "m"\nprompt = "Say {{ text }}"\n'
        '[engine]\nname = "tests.scripted_engine:create"\n[run]\nmetrics_file = "mine.prom"\n',
    )
    assert job.command("run", "--trust-job-file", "-q", "sub/job.toml").code == 0
    assert values(job, "sub/mine.prom")["run_exit_code"] == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("job.txt", "must end in .prom"),
        (".prom", "must be a name before .prom"),
        ("nowhere/job.prom", "there is no folder nowhere"),
    ],
)
def test_a_place_that_will_not_do_is_told_before_anything(job: Job, path: str, reason: str) -> None:
    refused = job.run("--metrics-file", path)
    assert refused.code == 2
    assert reason in refused.error
    assert not job.state.exists()


def test_a_file_that_cannot_be_written_stops_nothing(job: Job) -> None:
    with job.start(*METRICS, engine="start_delay=1") as running:
        path = job.folder / "job.prom"
        wait_for(path.exists)
        path.unlink()
        (path / "in the way").mkdir(parents=True)
        finished = running.wait()
    assert finished.code == 0
    assert finished.stderr.count("warning: job.prom: cannot be written") == 1
    assert len(job.records()) == 3


def test_another_run_that_holds_the_job_is_not_disturbed(job: Job) -> None:
    with job.start(*METRICS, engine="delay=1") as running:
        wait_for((job.folder / "job.prom").exists)
        assert job.run("-q", *METRICS).code == 75
        assert "run_exit_code" not in values(job)
        assert running.wait().code == 0


def test_it_is_whole_at_every_moment(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(200)))
    path, looks, over = job.folder / "job.prom", [], threading.Event()

    def read() -> None:
        while not over.is_set():
            if path.exists():
                looks.append(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    assert job.run("-q", *METRICS, engine="delay=0.01").code == 0
    over.set()
    reader.join()
    seen = set(looks)
    assert len(seen) >= 4, "phases"
    for text in seen:
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"llmbatch_run_info", "llmbatch_run_update_timestamp_seconds"} <= names
        assert text.endswith("\n")


def moment(text: str) -> datetime:
    """A time as the live view or the report has it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("again", [False, True])
def test_a_run_that_has_ended_is_told_as_the_report_tells_it(job: Job, *, again: bool) -> None:
    price = ("--price-per-hour", "3600", "--devices", "2")
    assert job.run("-q", *METRICS, *price).code == 0
    if again:
        assert job.run("-q", *METRICS, *price).code == 0
    found, seen, report = values(job), job.status(), job.report()
    last, times = report["last_run"], report["runs"][-1]
    assert (last["requests"] == 0) == again
    assert moment(seen["started_at"]) == moment(times["started_at"])
    assert moment(seen["ended_at"]) == moment(times["ended_at"])
    for place in (seen["elapsed_seconds"], found["run_duration_seconds"]):
        assert place == pytest.approx(last["seconds"], abs=1e-9)
    for place in (seen["cost"], found["cost_total"]):
        assert place == pytest.approx(last["cost"], rel=1e-9)
    if not again:
        assert seen["progress"]["cost"] == seen["cost"]
    # Not their difference: the duration is of the monotonic clock, read at another instant.
    assert found["run_start_timestamp_seconds"] == moment(times["started_at"]).timestamp()
    assert found["run_end_timestamp_seconds"] == moment(times["ended_at"]).timestamp()
