"""Engines that die, hang or do not start again: the rest of the job is answered all the same."""

import signal
import time

import pytest

from llmbatch.store.opening import open_store
from tests.cli.command import QuickJob, wait_for

ROWS = {n: f"text {n}" for n in range(30)}


def write(job: QuickJob, rows: dict[int, str]) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in rows.items()))


def deaths(job: QuickJob) -> list[str]:
    with open_store(job.state / "job.duckdb", read_only=True) as db:
        return [reason for (reason,) in db.execute("SELECT reason FROM engine_deaths")]


def assert_all_but(job: QuickJob, lost: dict[int, str]) -> None:
    """Every row is answered once, save `lost`: their kinds."""
    assert [int(record["id"]) for record in job.records()] == sorted(ROWS.keys() - lost.keys())
    found = {int(row["id"]): row["error"]["kind"] for row in job.errors()} if lost else {}
    assert found == lost
    assert job.computed() == len(ROWS) - len(lost)
    assert job.command("check", "out.jsonl").code == 0


def test_an_engine_that_dies_is_started_again(quick: QuickJob) -> None:
    write(quick, ROWS)
    done = quick.run(engine="die_after=12 window=4")
    assert done.code == 0
    assert_all_but(quick, {})
    assert deaths(quick) == ["engine died: scripted after 12 answers"] * 2
    assert done.stderr.count("scripted after 12 answers; requests in flight: 4") == 2
    assert done.stderr.count("llmbatch: starting the engine again") == 2


def test_software_that_does_not_fit_together_ends_the_run_and_blames_no_row(
    quick: QuickJob,
) -> None:
    write(quick, ROWS)
    done = quick.run(engine="misfit_after=12 window=4")
    assert done.code == 5
    assert done.error == "scripted 1 and we do not fit together"
    assert "starting the engine again" not in done.stderr
    assert len(deaths(quick)) == 1
    with open_store(quick.state / "job.duckdb", read_only=True) as db:
        assert db.execute("SELECT verdict, count(*) FROM attempts GROUP BY ALL") == [
            ("answered", 12)
        ]
    # What was not answered is pending: another version goes on.
    assert quick.run("-q").code == 0
    assert [int(record["id"]) for record in quick.records()] == list(ROWS)


def test_what_an_engine_has_to_say_is_told_before_it_starts(quick: QuickJob) -> None:
    write(quick, ROWS)
    lines = quick.run(engine="notice=untested").stderr.splitlines()
    assert lines.index("llmbatch: untested") == lines.index("llmbatch: starting the engine") + 1


@pytest.mark.parametrize("order", ["first", "shuffle"])
def test_a_row_that_kills_the_engine_is_found_and_the_rest_is_answered(
    quick: QuickJob, order: str
) -> None:
    write(quick, ROWS | {17: "KILL"})
    done = quick.run(engine=f"window=8 order={order}")
    assert done.code == 3
    assert_all_but(quick, {17: "engine_crash"})
    assert len(deaths(quick)) <= 2 + 3
    (lost,) = quick.errors()
    assert "alone with this request, engine died: poison request" in lost["error"]["message"]
    # It does not bring the engine of the next run down.
    assert (quick.run("-q").code, quick.computed()) == (3, 0)


def test_a_dead_letter_that_killed_the_engine_can_be_reopened(quick: QuickJob) -> None:
    write(quick, ROWS | {17: "KILL"})
    assert quick.run("-q", engine="window=4").code == 3
    assert quick.computed() == 29
    assert "1 row reopened" in quick.command("retry", "out.jsonl", "--kind", "engine_crash").stderr
    # It is the only one left now, so it is unknown whether it is to blame.
    assert quick.run("-q", "--engine-restarts", "1").code in (3, 5)
    assert quick.command("check", "out.jsonl").code == 0


def test_a_row_on_which_the_engine_hangs_is_found(quick: QuickJob) -> None:
    write(quick, ROWS | {17: "STALL"})
    done = quick.run("--stall-timeout", "0.5", engine="window=4")
    assert done.code == 3
    assert_all_but(quick, {17: "timeout"})
    assert len(deaths(quick)) <= 2 + 2
    assert set(deaths(quick)) == {"the engine made no progress for 0.5 s and was ended"}


def test_an_engine_that_dies_of_everything_is_given_up_without_dead_letters(
    quick: QuickJob,
) -> None:
    write(quick, ROWS)
    given_up = quick.run(engine="die_after=0 window=16")
    assert given_up.code == 5
    assert "engine died: scripted after 0 answers; it was started" in given_up.error
    assert given_up.stderr.count("llmbatch: starting the engine") <= 5
    assert len(deaths(quick)) <= 5
    assert not quick.output.exists()
    assert not (quick.folder / "out.errors.jsonl").exists()
    assert quick.run("-q").code == 0
    assert_all_but(quick, {})


def test_a_restart_that_fails_is_tried_again(quick: QuickJob) -> None:
    write(quick, ROWS)
    faults = "die_after=20 die_times=1 start_failures=1 start_failures_after=1 counter=counter"
    done = quick.run(engine=faults)
    assert done.code == 0
    assert_all_but(quick, {})
    assert done.stderr.count("llmbatch: starting the engine again") == 2


def test_restarts_that_all_fail_are_few(quick: QuickJob) -> None:
    write(quick, ROWS)
    faults = "die_after=20 die_times=1 start_failures=99 start_failures_after=1 counter=counter"
    given_up = quick.run("--engine-restarts", "1", engine=faults)
    assert given_up.code == 5
    assert given_up.error == "scripted failure 2 to start"
    assert quick.computed() == 20
    assert (quick.run("-q").code, quick.computed()) == (0, 10)


def test_without_restarts_the_first_death_is_the_end(quick: QuickJob) -> None:
    write(quick, ROWS)
    given_up = quick.run("--engine-restarts", "0", engine="die_after=20")
    assert (given_up.code, given_up.error) == (5, "engine died: scripted after 20 answers")
    assert "llmbatch: starting the engine again" not in given_up.stderr
    assert quick.computed() == 20


BROKEN = "die_after=5 die_times=1 start_failures=99 start_failures_after=1 counter=counter"


def test_a_signal_while_a_restart_is_waited_for(quick: QuickJob) -> None:
    write(quick, ROWS)
    with quick.start("--engine-restarts", "9", engine=BROKEN) as running:
        counter = quick.folder / "counter"
        wait_for(lambda: counter.exists() and counter.read_text().count("start") >= 3)
        running.signal(signal.SIGTERM)
        signalled = time.monotonic()
        stopped = running.wait()
    assert time.monotonic() - signalled < 2
    assert stopped.code == 143
    assert (quick.run("-q").code, quick.computed()) == (0, 30)


def test_a_deadline_is_kept_when_a_restart_would_come_too_late(quick: QuickJob) -> None:
    write(quick, ROWS)
    began = time.monotonic()
    stopped = quick.run("--deadline", "3s", "--engine-restarts", "9", engine=BROKEN)
    assert time.monotonic() - began < 3 + 1
    assert stopped.code == 4
    assert "deadline 3s reached; 25 rows left" in stopped.stderr.splitlines()[-1]
