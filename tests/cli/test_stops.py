"""A run stops in time: deadline, budget, rows, failures, signals. What is paid for is kept."""

import os
import pty
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.command import Job, QuickJob, environment, wait_for
from tests.crash.states import State
from tests.crash.tracer import Tracer

ROWS = "id,text\n" + "".join(f"{n},text {n}\n" for n in range(200))
# 200 rows take ten seconds; what is in flight takes 0.2.
SLOW = "delay=0.05 window=4"


def assert_stopped_and_resumes(job: Job, code: int, stopped: int, rows: int = 200) -> None:
    """The computed rows are in the store, and the same command computes the rest."""
    assert stopped == code
    assert not job.output.exists()
    computed = job.computed()
    counts = job.report()["counts"]
    assert (counts["answered"], counts["pending"]) == (computed, rows - computed)
    assert 0 < computed < rows
    assert (job.run("-q").code, job.computed()) == (0, rows - computed)
    assert len(job.records()) == rows
    assert State.read(job.state / "job.duckdb").violations == {}


def test_a_deadline_by_duration(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    began = time.monotonic()
    stopped = quick.run("--deadline", "2s", engine=SLOW)
    assert time.monotonic() - began < 2 + 5  # all would take ten seconds
    assert "deadline 2s reached" in stopped.stderr.splitlines()[-1]
    assert "run the same command again" in stopped.stderr.splitlines()[-1]
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_a_deadline_by_time_of_day(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    until = datetime.now().replace(microsecond=0) + timedelta(seconds=3)
    stopped = quick.run("--deadline", f"{until:%H:%M:%S}", engine=SLOW)
    assert datetime.now() < until + timedelta(seconds=5)
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_what_would_take_longer_than_the_deadline_is_given_up(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    began = time.monotonic()
    # An answer each second; when eight are in flight the last one takes eight.
    stopped = quick.run("--deadline", "2.5s", engine="delay=1 window=8")
    assert time.monotonic() - began < 2.5 + 10
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_no_engine_is_started_that_would_not_be_ready_in_time(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    assert quick.run("--max-rows", "1", engine="start_delay=1").code == 4
    assert quick.computed() == 1
    stopped = quick.run("--deadline", "1s", engine="start_delay=1")
    assert stopped.code == 4
    assert "starting the engine" not in stopped.stderr
    assert quick.computed() == 0
    assert quick.run("-q").code == 0


def test_a_deadline_that_is_over_computes_nothing(quick: QuickJob) -> None:
    stopped = quick.run("--deadline", "0s")
    assert (stopped.code, quick.computed()) == (4, 0)
    assert "3 rows left" in stopped.stderr.splitlines()[-1]


def test_a_budget_is_not_spent(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    # 1.00 a second.
    price = ("--price-per-hour", "1800", "--devices", "2", "--currency", "EUR")
    stopped = quick.run("--max-cost", "2", *price, engine=SLOW)
    assert "budget of 2.0 EUR reached" in stopped.stderr.splitlines()[-1]
    spent = quick.report()["last_run"]["cost"]
    assert 1 < spent < 2 + 0.5
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_a_budget_of_tokens_is_not_spent(quick: QuickJob) -> None:
    """An answer of the scripted engine has two words, each of them a token."""
    quick.write("in.csv", ROWS)
    prices = ("--price-per-million", "0/1000000", "--max-cost", "20")
    stopped = quick.run(*prices, engine="delay=0.01 window=8")
    assert "budget of 20.0 USD reached" in stopped.stderr.splitlines()[-1]
    found = quick.report()
    assert 18 <= found["last_run"]["cost"] <= 20
    assert found["costs"]["basis"] == "tokens"
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_long_answers_in_flight_do_not_overrun_a_budget_of_tokens(quick: QuickJob) -> None:
    """An answer of 512 tokens costs 0.001024, any other next to nothing."""
    texts = ["LENGTH:512 x" if 100 <= number < 110 else "x" for number in range(200)]
    quick.write("in.csv", "id,text\n" + "".join(f"{n},{t} {n}\n" for n, t in enumerate(texts)))
    prices = ("--price-per-million", "0/2", "--max-cost", "0.005", "--max-tokens", "512")
    stopped = quick.run(*prices, engine="slots=8 window=64")
    assert "budget of 0.005 USD reached" in stopped.stderr.splitlines()[-1]
    spent = quick.report()["last_run"]["cost"]
    assert 0.004 < spent <= 0.005 + 0.001024
    assert_stopped_and_resumes(quick, 4, stopped.code)


def test_a_budget_without_a_price_is_refused(quick: QuickJob) -> None:
    refused = quick.run("--max-cost", "1")
    assert refused.code == 2
    assert "--price-per-hour or --price-per-million" in refused.error
    assert quick.names() == {"in.csv"}


def test_so_many_rows_at_a_time(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(8)))
    for code, computed in [(4, 3), (4, 3), (0, 2)]:
        assert (quick.run("-q", "--max-rows", "3").code, quick.computed()) == (code, computed)
    assert len(quick.records()) == 8
    assert (quick.run("-q", "--max-rows", "3").code, quick.computed()) == (0, 0)


def test_exactly_as_many_rows_as_are_left_is_the_end(quick: QuickJob) -> None:
    assert (quick.run("-q", "--max-rows", "3").code, quick.computed()) == (0, 3)


def test_after_the_grace_time_nobody_waits_for_what_is_in_flight(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    with quick.start("--grace", "0.3", engine="delay=1.5 window=8") as running:
        running.until_answered(1)
        running.signal(signal.SIGINT)
        signalled = time.monotonic()
        stopped = running.wait()
    # The engine notices at its next answer; all in flight would have taken twelve seconds.
    assert time.monotonic() - signalled < 0.3 + 1.5 + 6
    assert_stopped_and_resumes(quick, 130, stopped.code)


def test_a_terminal_that_is_closed_is_a_signal_like_others(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        # In a session that the terminal controls, as in a window or over ssh.
        ["setsid", "--ctty", sys.executable, "-m", "llmbatch", *quick.arguments(engine=SLOW)],
        cwd=quick.folder,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    wait_for(lambda: quick.status().get("progress", {}).get("rows_done", 0) >= 20)
    os.close(ours)
    assert_stopped_and_resumes(quick, 129, process.wait(timeout=30))


def test_what_is_told_to_nobody_stops_nothing(quick: QuickJob) -> None:
    """The reader of stderr has gone: a pipe, where a closed terminal or a full disk might be."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "llmbatch", *quick.arguments()],
        cwd=quick.folder,
        env=environment(),
        stderr=writer,
    )
    os.close(writer)
    assert process.wait(timeout=30) == 0
    assert len(quick.records()) == 3


def test_an_engine_that_does_not_notice_is_left_behind(quick: QuickJob) -> None:
    with quick.start("--grace", "0", engine="delay=60 window=8") as running:
        wait_for(lambda: quick.status().get("phase") == "generating")
        running.signal(signal.SIGTERM)
        signalled = time.monotonic()
        stopped = running.wait()
    assert time.monotonic() - signalled < 5 + 20
    assert stopped.code == 143
    assert (quick.run("-q").code, quick.computed()) == (0, 3)


def test_one_interrupt_while_the_input_is_read_leaves_no_trace(
    quick: QuickJob,
) -> None:
    quick.input = "-"
    for number in (signal.SIGINT, signal.SIGTERM):
        with quick.start("--input-format", "csv") as running:
            wait_for(lambda: quick.status().get("phase") == "reading the input")
            running.signal(number)
            signalled = time.monotonic()
            stopped = running.wait()
        assert time.monotonic() - signalled < 10
        assert stopped.code == 128 + number
        assert quick.names() == {"in.csv"}


def test_an_interrupt_while_the_input_is_read_keeps_what_was_there(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    kept, quick.input = quick.output.read_bytes(), "-"
    with quick.start("--input-format", "csv") as running:
        wait_for(lambda: quick.status().get("phase") == "reading the input")
        running.signal(signal.SIGINT)
        assert running.wait().code == 130
    quick.input = "in.csv"
    assert quick.computed() == 3
    assert (quick.run("-q").code, quick.computed()) == (0, 0)
    assert quick.output.read_bytes() == kept


def test_a_machine_that_is_taken_away(quick: QuickJob, forks: Tracer, tmp_path: Path) -> None:
    """SIGTERM, and SIGKILL before all that was in flight could end."""
    quick.write("in.csv", ROWS)
    usual = ("-q", "--checkpoint-seconds", "0.2")
    with quick.start(*usual, engine="delay=0.1 window=40") as running:
        running.until_answered(8)
        running.signal(signal.SIGTERM)
        time.sleep(0.6)
        assert running.process.poll() is None
        running.signal(signal.SIGKILL)
    left = State.read(quick.state / "job.duckdb")
    assert left.violations == {}
    # All but the last interval and a commit.
    assert 8 <= len(left.settled()) >= quick.computed() - 8
    assert quick.run(*usual).code == 0
    assert quick.computed() == 200 - len(left.settled())
    assert len(quick.records()) == 200
    assert {record["id"]: record["response"] for record in quick.records()} == whole(
        tmp_path, forks
    )


def whole(folder: Path, forks: Tracer) -> dict[str, str]:
    """The answers of a run that nothing disturbed."""
    undisturbed = QuickJob(folder / "whole", forks)
    undisturbed.folder.mkdir()
    undisturbed.write("in.csv", ROWS)
    assert undisturbed.run("-q").code == 0
    return answers(undisturbed)


def answers(job: Job) -> dict[str, str]:
    return {record["id"]: record["response"] for record in job.records()}


def failing(failures: int, rows: int) -> str:
    """Failures come first: they are sorted before the others."""
    texts = [f"FAIL {n}" for n in range(failures)] + [f"text {n}" for n in range(rows - failures)]
    return "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts))


def test_a_run_in_which_all_fails_stops_early(quick: QuickJob) -> None:
    quick.write("in.csv", failing(300, 300))
    stopped = quick.run("--fail-fast", "50%/10", engine="delay=0.01 window=4")
    assert stopped.code == 4
    assert "10 of the last 10 outcomes failed (--fail-fast); 2" in stopped.stderr.splitlines()[-1]
    assert 10 <= quick.computed() < 60


def test_a_run_whose_first_outcomes_fail_for_one_reason_stops_by_itself(quick: QuickJob) -> None:
    """Also when every request is to be tried again: retries come before other rows then."""
    quick.write("in.csv", "text\n" + "".join(f"INVALID {n}\n" for n in range(300)))
    flags = ("--regex", "[a-z]+")
    stopped = quick.run(*flags, engine="delay=0.002")
    assert stopped.code == 4
    (line,) = [each for each in stopped.stderr.splitlines() if "rows left" in each]
    assert "outcomes all failed for one reason, invalid_output: does not match the regex" in line
    assert "(the answer breaks the constraint: look at the prompt); --fail-fast off goes on" in line
    assert 50 <= quick.computed() < 200
    # The same command goes on, for as many more; another prompt has requests of its own.
    assert quick.run(*flags, "-q", engine="delay=0.002").code == 4
    assert 50 <= quick.computed() < 200
    assert quick.run(*flags, "-q", "--fail-fast", "off").code == 3
    assert quick.computed() > 200


def test_one_answer_or_another_failure_lets_it_go_on(quick: QuickJob) -> None:
    texts = [f"FAIL:refused_request {n:03}" for n in range(80)]
    for odd in ("A text", "FAIL:context_full"):  # they come first
        quick.write("in.csv", "text\n" + "".join(f"{each}\n" for each in [odd, *texts]))
        assert quick.run("-q", "--fresh").code == 3
        assert quick.computed() == 81


def test_a_small_input_goes_on(quick: QuickJob) -> None:
    quick.write("in.csv", "text\n" + "".join(f"INVALID {n}\n" for n in range(49)))
    assert quick.run("-q", "--regex", "[a-z]+").code == 3
    assert quick.computed() == 98


def test_few_failures_stop_nothing(quick: QuickJob) -> None:
    quick.write("in.csv", failing(5, 40))
    assert quick.run("-q", "--fail-fast", "50%/10", engine="delay=0.01 window=4").code == 3
    assert quick.computed() == 40


JOB_FILE = 'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "Say {{ text }}"\n'
ENGINE = '[engine]\nname = "tests.scripted_engine:create"\n'
RUN = """
[run]
attempts = 3
engine_restarts = 0
stall_timeout = 10.5
grace = 0
deadline = "1h30m"
max_cost = 2
max_rows = 2
max_failed = 1
fail_fast = "50%/20"
if_locked = "skip"
[cost]
price_per_hour = 1.5
"""


def test_all_limits_can_stand_in_the_job_file(quick: QuickJob) -> None:
    quick.write("job.toml", JOB_FILE + ENGINE + RUN)
    stopped = quick.command("run", "--trust-job-file", "job.toml")
    assert stopped.code == 4
    assert "--max-rows reached; 1 row left" in stopped.stderr.splitlines()[-1]
    # A flag wins.
    assert quick.command("run", "--trust-job-file", "job.toml", "-q", "--max-rows", "5").code == 0


@pytest.mark.parametrize(
    "line",
    [
        'deadline = "soon"', "deadline = -2", "max_cost = 0", 'max_cost = "2 USD"', "max_rows = 0",
        "max_rows = 1.5", 'max_failed = "2 in 100"', "max_failed = -1", 'fail_fast = "half"',
        "grace = -1", "stall_timeout = 0", "engine_restarts = -1", "attempts = 0", "attempts = 17",
        'if_locked = "maybe"', 'deadline = "99999999999h"', "grace = nan",
        "max_cost = nan", "stall_timeout = nan", "max_failed = true",
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_its_key(quick: QuickJob, line: str) -> None:
    quick.write("job.toml", f"{JOB_FILE}{ENGINE}[run]\n{line}\n")
    refused = quick.command("run", "--trust-job-file", "job.toml")
    assert refused.code == 2
    assert refused.error.startswith(f"job.toml: run.{line.partition(' ')[0]}: ")
    assert refused.stderr.count("\n") == 1
    assert quick.names() == {"in.csv", "job.toml"}


def test_an_unknown_key_is_answered_with_the_nearest(quick: QuickJob) -> None:
    quick.write("job.toml", f"{JOB_FILE}[run]\ndead_line = '1h'\n")
    refused = quick.command("run", "--trust-job-file", "job.toml")
    assert (refused.code, "did you mean 'deadline'?" in refused.error) == (2, True)


@pytest.mark.parametrize("flags", [("--deadline", "25:00"), ("--max-failed", "200%")])
def test_a_wrong_flag_is_refused(quick: QuickJob, flags: tuple[str, str]) -> None:
    refused = quick.run(*flags)
    assert refused.code == 2
    assert refused.error.startswith(f"{flags[0]}: ")
    assert quick.names() == {"in.csv"}
