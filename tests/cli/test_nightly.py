"""The same job every night: what is new is computed, and machines can follow what happens."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import TIMEOUT, Finished, QuickJob, environment

Rows = dict[int, str]


def write(job: QuickJob, rows: Rows) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in rows.items()))


def texts(count: int) -> Rows:
    return {n: f"text {n}" for n in range(1, count + 1)}


def increments() -> list[tuple[str, Callable[[Rows], Rows], int, int]]:
    """A change of the table, the rows that are computed then, and those that are reused."""
    return [
        ("appended", lambda rows: rows | {11: "new", 12: "newer"}, 2, 10),
        ("edited", lambda rows: rows | {3: "edited"}, 1, 11),
        ("removed", lambda rows: {n: text for n, text in rows.items() if n != 5}, 0, 11),
        ("reordered", lambda rows: dict(sorted(rows.items(), reverse=True)), 0, 11),
        ("doubled", lambda rows: rows | {20: rows[1], 21: rows[2]}, 0, 13),
        ("all at once", lambda rows: {30: "one more", **rows, 1: "edited"}, 1, 13),
        ("as it was at first", lambda rows: texts(10), 0, 10),
    ]


def test_each_night_only_what_is_new_is_computed(quick: QuickJob) -> None:
    rows = texts(10)
    write(quick, rows)
    assert (quick.run("-q").code, quick.computed()) == (0, 10)
    for name, change, computed, reused in increments():
        rows = change(rows)
        write(quick, rows)
        done = quick.run()
        assert (done.code, quick.computed()) == (0, computed), name
        assert f"{reused} rows reused from earlier runs" in done.stderr, name
        records = quick.records()
        assert [(int(record["id"]), record["text"]) for record in records] == list(rows.items())
        by_text = {record["text"]: record["response"] for record in records}
        assert all(record["response"] == by_text[record["text"]] for record in records)
    assert quick.command("check", "out.jsonl").code == 0


def test_failures_that_are_known_alarm_once(quick: QuickJob) -> None:
    write(quick, texts(3) | {7: "FAIL"})
    night = ("--max-new-failed", "0")
    first = quick.run(*night)
    assert first.code == 3
    assert "\n  went wrong  1 failed, new\n" in first.stderr
    write(quick, texts(4) | {7: "FAIL"})
    second = quick.run(*night)
    assert second.code == 0
    assert "\n  went wrong  1 failed, none new\n" in second.stderr
    assert "finished, 1 row not answered, none new (--max-new-failed 0)" in second.stderr
    # Without the flag they are failures as ever.
    assert quick.run("-q").code == 3
    write(quick, texts(4) | {7: "FAIL", 8: "FAIL too"})
    assert quick.run("-q", *night).code == 3


def test_forgetting_computes_all_again(quick: QuickJob) -> None:
    assert (quick.run("-q").code, quick.computed()) == (0, 3)
    before = quick.output.read_bytes()
    # The old output stays until the new one is whole.
    stopped = quick.run("-q", "--fresh", "--max-rows", "1")
    assert (stopped.code, quick.computed()) == (4, 1)
    assert quick.output.read_bytes() == before
    assert (quick.run("-q").code, quick.computed()) == (0, 2)
    assert quick.output.read_bytes() == before
    assert (quick.run("-q", "--fresh").code, quick.computed()) == (0, 3)
    assert quick.command("check", "out.jsonl").code == 0


def test_a_mistake_in_a_fresh_run_forgets_nothing(quick: QuickJob) -> None:
    assert (quick.run("-q").code, quick.computed()) == (0, 3)
    assert quick.run("-q", "--fresh", "-p", "{{ txt }}").code == 2
    assert quick.run("-q", "--fresh", engine="refuse=1").code == 2
    assert (quick.run("-q").code, quick.computed()) == (0, 0)


def test_forgetting_a_job_that_never_ran_is_a_run(quick: QuickJob) -> None:
    assert (quick.run("-q", "--fresh").code, quick.computed()) == (0, 3)


def events(text: str) -> list[dict[str, Any]]:
    """Every line is an event."""
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert all({"at", "event", "pid"} <= event.keys() for event in found)
    assert [event["at"] for event in found] == sorted(event["at"] for event in found)
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in found]


def test_the_life_of_a_job_in_a_log(quick: QuickJob) -> None:
    write(quick, texts(6) | {7: "FAIL"})
    log = ("-q", "--log-json", "log.jsonl", "--checkpoint-rows", "2")
    assert quick.run(*log, "--max-rows", "3").code == 4
    assert quick.run(*log).code == 3
    first, second = by_process((quick.folder / "log.jsonl").read_text())

    assert names(first) == [
        "started", "engine_started", "checkpoint", "stopping", "checkpoint", "stopped"
    ] or names(first) == [
        "started", "engine_started", "stopping", "checkpoint", "checkpoint", "stopped"
    ]  # fmt: skip
    started, stopped = first[0], first[-1]
    counts = {name: started[name] for name in ("run", "rows", "reused", "pending")}
    assert counts == {"run": 1, "rows": 7, "reused": 0, "pending": 7}
    assert (stopped["reason"], stopped["exit_code"]) == ("--max-rows reached", 4)
    checkpoints = [event for event in first if event["event"] == "checkpoint"]
    assert [(event["number"], event["attempts"]) for event in checkpoints] == [(1, 2), (2, 1)]

    assert (names(second)[0], names(second)[-1]) == ("resumed", "finished")
    assert (second[0]["run"], second[0]["pending"], second[-1]["exit_code"]) == (2, 4, 3)
    assert sum(event["attempts"] for event in second if event["event"] == "checkpoint") == 4


def by_process(text: str) -> list[list[dict[str, Any]]]:
    """The events of each process, in the order in which these began."""
    found = events(text)
    pids = list(dict.fromkeys(event["pid"] for event in found))
    return [[event for event in found if event["pid"] == pid] for pid in pids]


def test_stderr_as_a_log_holds_nothing_else(quick: QuickJob) -> None:
    done = quick.run("--log-json", "-")
    assert (done.code, done.stdout) == (0, "")
    assert names(events(done.stderr)) == ["started", "engine_started", "checkpoint", "finished"]
    again = quick.run("--log-json", "-")
    assert names(events(again.stderr)) == ["resumed", "finished"]


@pytest.mark.parametrize(
    ("flags", "engine", "code", "name"),
    [
        (("--engine-restarts", "0"), "start_error=broken", 5, "failed"),
        (("--max-rows", "1"), "", 4, "stopped"),
        (("-p", "{{ txet }}"), "", 2, "refused"),
        (("--deadline", "soon"), "", 2, ""),  # no job yet of which an event could tell
    ],
)
def test_an_error_is_an_event_too(
    quick: QuickJob, flags: tuple[str, ...], engine: str, code: int, name: str
) -> None:
    done = quick.run("--log-json", "-", *flags, engine=engine)
    assert done.code == code
    if name:
        last = events(done.stderr)[-1]
        assert (last["event"], last["exit_code"]) == (name, code)
        assert last["reason"]


def test_deaths_and_restarts_are_events(quick: QuickJob) -> None:
    write(quick, texts(20))
    done = quick.run("--log-json", "-", engine="die_after=12 window=4")
    assert done.code == 0
    found = events(done.stderr)
    of_engine = [event for event in found if event["event"].startswith("engine")]
    assert names(of_engine) == ["engine_started", "engine_died", "engine_restarted"]
    assert of_engine[1]["in_flight"] == 4
    assert of_engine[1]["reason"] == "engine died: scripted after 12 answers"
    assert all(event["seconds"] >= 0 for event in (of_engine[0], of_engine[2]))


def test_being_locked_out_is_an_event(quick: QuickJob) -> None:
    write(quick, texts(99))
    with quick.start("-q", engine="delay=0.1") as running:
        running.until_answered(1)
        refused = quick.run("--log-json", "log.jsonl", "-q")
        skipped = quick.run("--log-json", "-", "--if-locked", "skip")
    assert (refused.code, skipped.code) == (75, 0)
    (locked,) = events((quick.folder / "log.jsonl").read_text())
    assert (locked["event"], locked["if_locked"]) == ("locked", "fail")
    assert f"pid {running.process.pid} on" in locked["reason"]
    assert names(events(skipped.stderr)) == ["locked"]


def refused(done: Finished) -> str:
    """The one line; nothing was run."""
    assert (done.code, done.stderr.count("\n")) == (2, 1), done
    return done.error


def test_a_log_that_can_be_none_is_refused_before_anything_is_run(quick: QuickJob) -> None:
    (quick.folder / "folder").mkdir()
    for log, said in (
        ("folder", "is a folder; give a file name"),
        ("nowhere/log.jsonl", "there is no folder nowhere; create it first"),
        ("/dev/full", "is a device or a pipe; give the name of a file"),
    ):
        assert refused(quick.run("-q", "--log-json", log)) == f"event log {log}: {said}"
    assert quick.names() == {"in.csv", "folder"}
    assert quick.computed() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_log_that_cannot_be_written_stops_nothing(job: QuickJob) -> None:
    """Its disk is full."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "llmbatch", *job.arguments("-q", "--log-json", "/dev/stdout")],
            cwd=job.folder,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert (done.returncode, len(job.records())) == (0, 3)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("llmbatch: warning: /dev/stdout: cannot be written: No space")


def test_a_log_that_is_gone_stops_nothing(quick: QuickJob) -> None:
    write(quick, texts(9))
    (quick.folder / "logs").mkdir()
    with quick.start("-q", "--log-json", "logs/log.jsonl", engine="delay=0.1") as running:
        running.until_answered(1)
        shutil.rmtree(quick.folder / "logs")
        done = running.wait()
    assert (done.code, len(quick.records())) == (0, 9)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("llmbatch: warning: logs/log.jsonl: cannot be written: ")


def test_a_log_goes_on_where_it_was(quick: QuickJob, tmp_path: Path) -> None:
    kept = '{"at": "2026-01-01T00:00:00.000+00:00", "event": "finished", "pid": 1, "kept": true}'
    (tmp_path / "log.jsonl").write_text(f"{kept}\n")
    assert quick.run("-q", "--log-json", "log.jsonl").code == 0
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert lines[0] == kept
    assert names(events("\n".join(lines[1:])))[-1] == "finished"
