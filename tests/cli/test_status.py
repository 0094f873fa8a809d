"""`llmbatch status --watch`: a run from another shell, for as long as it works."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.command import Finished, Job, environment, wait_for

PRICE = ("--price-per-hour", "3600")
LONG = "id,text\n" + "".join(f"{n},text {n}\n" for n in range(2000))


class Watching:
    """A watch in the background, its standard output a pipe or a terminal."""

    def __init__(self, job: Job, *arguments: str, terminal: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmbatch", "status", "out.jsonl", "--watch", *arguments],
            cwd=job.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE,
        )

    def wait(self) -> Finished:
        stdout, stderr = self.process.communicate(timeout=60)
        return Finished(self.process.returncode, (stdout or b"").decode(), stderr.decode())


@pytest.fixture
def short(job: Job) -> Iterator[Job]:
    """A job that works for some seconds, and has begun."""
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(60)))
    engine = "delay=0.05 start_delay=2.5 cache=0.25 window=4"
    with job.start(*PRICE, "--checkpoint-seconds", "0.2", engine=engine) as running:
        wait_for(lambda: job.status().get("phase") == "starting the engine")
        yield job
        assert running.wait().code == 0


def test_a_log_gets_a_line_for_each_change_until_the_end(short: Job) -> None:
    watched = Watching(short, "--interval", "0.2").wait()
    assert (watched.code, watched.stderr) == (0, "")
    first, *_, last = lines = watched.stdout.splitlines()
    assert "running: starting the engine (pid " in first
    assert "; USD " in first, "an engine that starts costs, too"
    assert any("running: generating" in line and " of about " in line for line in lines)
    assert any("cache 25%" in line for line in lines)
    assert "ended: finished, exit code 0" in last
    assert "60/60 rows (100%)" in last
    assert len(set(lines)) == len(lines)
    assert "\x1b" not in watched.stdout


def test_json_is_a_line_for_each_look(short: Job) -> None:
    watched = Watching(short, "--interval", "0.2", "--format", "json").wait()
    looks = [json.loads(line) for line in watched.stdout.splitlines()]
    assert watched.code == 0
    assert [look["state"] for look in looks] == ["running"] * (len(looks) - 1) + ["ended"]
    rows = [look["progress"]["rows_done"] for look in looks if "progress" in look]
    assert rows == sorted(rows)
    costs = [look["cost"] for look in looks]
    assert costs == sorted(costs)
    assert looks[0]["cost"] > 0
    assert "progress" not in looks[0]
    assert 0 < looks[-1]["resources"]["cpu_seconds"] < 60
    assert {"age_seconds", "elapsed_seconds", "engine_restarts", "rows"} <= set(looks[-1])


def test_a_terminal_shows_it_in_place(short: Job) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 60))
    watching = Watching(short, "--interval", "0.3", terminal=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # on Linux: the other side has closed
        pass
    os.close(ours)
    assert watching.wait().code == 0
    drawn = re.split(r"\x1b\[(\d+)A\x1b\[J", shown.decode())
    views, backs = drawn[::2], drawn[1::2]
    assert len(views) >= 3
    assert [int(back) for back in backs] == [view.count("\n") for view in views[:-1]]
    assert max(len(line) for view in views for line in view.splitlines()) < 60
    assert any("[###" in view and "running, " in view for view in views)
    assert "60/60 rows (100%)" in views[-1]
    assert "ended: finished, exit code 0" in views[-1]


def test_the_user_may_leave_without_a_trace(job: Job) -> None:
    job.write("in.csv", LONG)
    with job.start(engine="delay=0.05") as running:
        running.until_answered(1)
        watching = Watching(job, "--interval", "0.2")
        assert watching.process.stdout is not None
        watching.process.stdout.readline()
        watching.process.send_signal(signal.SIGINT)
        left = watching.wait()
        assert (left.code, left.stderr) == (0, "")
        assert running.process.poll() is None


def test_a_killed_run_ends_the_watch(job: Job) -> None:
    job.write("in.csv", LONG)
    with job.start(engine="delay=0.05") as running:
        running.until_answered(1)
        watching = Watching(job, "--interval", "0.2")
        assert watching.process.stdout is not None
        watching.process.stdout.readline()
        running.process.kill()
        running.process.wait()
        seen = watching.wait()
    assert seen.code == 0
    assert "killed while generating" in seen.stdout.splitlines()[-1]
    assert "run the same command again" in seen.stdout


def test_a_run_that_is_stopped_is_seen_to_have_no_news(job: Job) -> None:
    job.write("in.csv", LONG)
    with job.start(engine="delay=0.05") as running:
        running.until_answered(1)
        running.signal(signal.SIGSTOP)
        old = job.status()
        old["updated_at"] = (datetime.now(UTC) - timedelta(seconds=75)).isoformat()
        old["updated_seconds"] -= 75
        job.write("out.llmbatch/status.json", json.dumps(old))
        seen = job.command("status", "out.jsonl")
        running.signal(signal.SIGCONT)
    assert seen.stdout.startswith("running: ")
    assert ": no news for 1 min 1" in seen.stdout


def test_a_busy_phase_goes_on_telling_that_it_lives(job: Job) -> None:
    """Nothing but the meter's thread is awake while an engine starts."""
    with job.start(*PRICE, engine="start_delay=4") as running:
        wait_for(lambda: job.status().get("phase") == "starting the engine")
        first = job.status()
        wait_for(lambda: job.status()["updated_at"] > first["updated_at"], seconds=4)
        second = job.status()
        assert second["phase"] == "starting the engine"
        assert second["cost"] > first["cost"] + 1
        assert second["elapsed_seconds"] > first["elapsed_seconds"] + 1
        running.wait()


def test_an_ended_run_is_shown_once(job: Job) -> None:
    job.run("-q")
    began = time.monotonic()
    seen = Watching(job, "--interval", "100").wait()
    assert seen.code == 0
    assert len(seen.stdout.splitlines()) == 1
    assert time.monotonic() - began < 30


def test_a_job_that_was_refused_is_not_taken_for_killed(job: Job) -> None:
    assert job.run("-q").code == 0
    refused = job.run("-q", "-p", "{{ nothing }}")
    assert refused.code == 2
    seen: dict[str, Any] = json.loads(job.command("status", "out.jsonl", "--format", "json").stdout)
    assert (seen["state"], seen["exit_code"]) == ("ended", 2)
    assert "nothing" in seen["reason"]


@pytest.mark.parametrize("arguments", [["--interval", "0"], ["--interval", "soon"]])
def test_a_senseless_interval_is_refused(job: Job, arguments: list[str]) -> None:
    assert job.command("status", "out.jsonl", "--watch", *arguments).code == 2


def test_watching_no_job_says_so(job: Job) -> None:
    missing = job.command("status", "nope.jsonl", "--watch")
    assert missing.code == 2
    assert "nope.jsonl: no job found there" in missing.error


def test_what_the_check_of_an_engine_takes_is_told_as_its_start(job: Job) -> None:
    with job.start(engine="check_delay=3") as running:
        wait_for(lambda: job.status().get("phase") == "starting the engine")
        seen = time.monotonic()
        finished = running.wait()
    assert time.monotonic() - seen > 1.5, "it was told before the check"
    assert finished.stderr.count("llmbatch: starting the engine\n") == 1
    assert job.report()["last_run"]["engine_start_seconds"] > 3


def test_the_time_left_goes_by_the_length_of_what_is_left(job: Job) -> None:
    """Short prompts come first, and long ones, each word of which takes its time, last."""
    texts = ["word"] * 100 + ["lengthy " * 40] * 30
    rows = "".join(f"{number},{number:03} {text}\n" for number, text in enumerate(texts))
    job.write("in.csv", f"id,text\n{rows}")
    engine = "slots=1 step_delay=0.003 prefill_delay=0.003"
    with job.start(*PRICE, engine=engine) as running:
        running.until_answered(20)
        seen = job.status()
        assert running.wait().code == 0
    last = job.report()["last_run"]
    assert seen["progress"]["rows_done"] < 100, "no long one is done"
    foretold = seen["progress"]["seconds"] + seen["eta_seconds"]
    assert foretold == pytest.approx(last["generate_seconds"], rel=0.4)
    assert seen["projected_cost"] == pytest.approx(last["cost"], rel=0.4)
