"""Runs with replicas, some of which are killed: each row once, and nothing stays behind."""

import json
import signal
from pathlib import Path

import psutil

from llmbatch.core import clock
from llmbatch.core.errors import ExitCode
from tests.engines.replicas import kills
from tests.engines.replicas.kills import LocalRun

WITH_REPLICAS = ("--replicas", "2", "--engine-arg", "delay=0.01")


def wait_until_gone(processes: list[psutil.Process], seconds: float) -> None:
    _, left = psutil.wait_procs(processes, timeout=seconds)
    assert left == []


def test_killed_replicas_cost_no_row(tmp_path: Path) -> None:
    kills.write_rows(tmp_path, 600)
    alone = LocalRun(tmp_path, "alone.jsonl")
    run = LocalRun(tmp_path, "out.jsonl", *WITH_REPLICAS)
    assert alone.ended(60) == ExitCode.OK
    run.until_all_started(2)
    started = run.replicas()
    assert kills.kill_some(run.process, run.replicas, 3, 0.4) == 3
    started += run.replicas()
    assert run.ended(100) == ExitCode.OK, run.said()
    assert run.output.read_bytes() == alone.output.read_bytes()
    assert "killed by SIGKILL" in run.said()
    assert "started again in" in run.said()
    wait_until_gone(started, 5)


def test_a_poison_request_is_isolated_and_all_others_are_answered(tmp_path: Path) -> None:
    kills.write_rows(tmp_path, 60, "KILL")
    report = tmp_path / "report.json"
    run = LocalRun(tmp_path, "out.jsonl", *WITH_REPLICAS, "--report", str(report))
    assert run.ended(100) == ExitCode.INCOMPLETE, run.said()
    assert len(run.output.read_text().splitlines()) == 60
    (failed,) = (tmp_path / "out.errors.jsonl").read_text().splitlines()
    assert "KILL" in failed
    assert "engine_crash" in failed
    last = json.loads(report.read_text())["last_run"]
    assert last["engine_deaths"] >= 2
    assert last["engine_restarts"] == 0, "only replicas were started again"


def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    kills.write_rows(tmp_path, 3000)
    run = LocalRun(tmp_path, "out.jsonl", *WITH_REPLICAS)
    run.until_all_started(2)
    replicas = run.replicas()
    assert len(replicas) == 2
    run.process.kill()
    run.ended(5)
    wait_until_gone(replicas, 5)


def test_a_signal_drains_and_leaves_nothing(tmp_path: Path) -> None:
    kills.write_rows(tmp_path, 3000)
    run = LocalRun(tmp_path, "out.jsonl", *WITH_REPLICAS)
    run.until_all_started(2)
    replicas = run.replicas()
    run.process.send_signal(signal.SIGINT)
    began = clock.seconds()
    assert run.ended(30) == ExitCode.SIGINT, run.said()
    assert clock.seconds() - began < 20
    wait_until_gone(replicas, 1)
