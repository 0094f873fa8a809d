"""Jobs that queue for a device: real processes, each with a job and a store of its own."""

import os
import re
import signal
import stat
from pathlib import Path

import pytest

from tests.cli.command import Finished, Job, Running, llmbatch, wait_for
from tests.crash.tracer import Tracer

HELD = re.compile(r"another run holds the device cpu \(pid (?P<pid>\d+) on \S+ since 20\S+\)")
WAITING = "waiting for the device cpu (pid "


class Machine:
    """Jobs on a machine without GPUs, whose locks lie in a folder of the test."""

    def __init__(self, folder: Path, forks: Tracer) -> None:
        self.folder = folder
        self.locks = folder / "locks"
        self.environment = {"LLMBATCH_DEVICE_LOCKS": str(self.locks), "CUDA_VISIBLE_DEVICES": ""}
        self._forks = forks

    def run(self, name: str, policy: str, *more: str) -> Finished:
        job = self.job(name)
        arguments = job.arguments("--device-lock", policy, *more)
        done = self._forks.run(arguments, job.folder, traced=False, env=self.environment)
        assert "Traceback" not in done.stderr, done.stderr
        return Finished(done.code, done.stdout, done.stderr)

    def job(self, name: str) -> Job:
        (self.folder / name).mkdir(exist_ok=True)
        job = Job(self.folder / name)
        job.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n")
        return job

    def slow(self, name: str) -> Running:
        """A run that holds the device for as long as a test may last."""
        return self.job(name).start("--device-lock", "fail", engine="delay=60 window=1")

    def until_held(self, by: Running) -> None:
        lock, signed = self.locks / "cpu.lock", f'"pid":{by.process.pid},'.encode()
        wait_for(lambda: lock.exists() and signed in lock.read_bytes())


@pytest.fixture
def machine(tmp_path: Path, forks: Tracer, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, forks)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    return machine


def test_a_device_is_one_runs_and_free_once_that_was_killed(machine: Machine) -> None:
    assert machine.run("done", "fail").code == 0
    with machine.slow("slow") as slow:
        machine.until_held(slow)
        refused = machine.run("other", "fail")
        assert refused.code == 75
        found = HELD.match(refused.error)
        assert found is not None
        assert int(found["pid"]) == slow.process.pid
        skipped = machine.run("other", "skip")
        assert skipped.code == 0
        assert "skipped: another run holds the device" in skipped.stderr
        assert machine.run("other", "wait", "--deadline", "1s").code == 75
        assert not (machine.folder / "other/out.jsonl").exists()
        assert machine.run("done", "fail").code == 0, "with nothing to compute no device is taken"
        third = machine.job("third")
        with third.start("--device-lock", "wait", "--price-per-hour", "3600") as waiting:
            wait_for(lambda: third.status().get("phase", "").startswith(WAITING))
            assert not third.output.exists()
            slow.signal(signal.SIGKILL)
            ended = waiting.wait()
        assert ended.code == 0
        assert WAITING in ended.stderr
        assert len(third.records()) == 3


def test_a_wait_is_no_part_of_the_run(machine: Machine) -> None:
    with machine.job("first").start("--device-lock", "fail", engine="delay=1 window=1") as first:
        machine.until_held(first)
        assert machine.run("second", "wait", "--price-per-hour", "3600").code == 0
    second = machine.job("second")
    last = second.report()["last_run"]
    assert last["seconds"] < 2.5
    assert last["engine_start_seconds"] < 1
    assert second.report()["costs"]["physical"] < 2.5


def test_who_waits_for_a_job_lets_go_of_the_device(machine: Machine) -> None:
    """One command has the device and wants the job of the other, which waits for the device."""
    job = machine.job("jobs")
    rows = "".join(f"{n},t{n}\n" for n in range(12))
    job.write("many.csv", f"id,text\n{rows}")
    for name, source in {"a": "many.csv", "b": "in.csv"}.items():
        job.write(
            f"{name}.toml",
            f'input = "{source}"\noutput = "{name}.jsonl"\nmodel = "m"\nprompt = "{{{{ text }}}}"\n'
            "[run]\ndevice_lock = 'wait'\nif_locked = 'wait'\n"
            "[engine]\nname = 'tests.scripted_engine:create'\ndelay = 0.3\nwindow = 1\n",
        )
    arguments = ["run", "--trust-job-file"]
    with Running(job, [*arguments, "a.toml", "b.toml"]) as first:
        machine.until_held(first)
        with Running(job, [*arguments, "b.toml"]) as second:
            assert second.wait().code == 0
        assert first.wait().code == 0
    assert len(job.records("a.jsonl")) == 12
    assert len(job.records("b.jsonl")) == 3


def test_every_user_may_use_the_locks(machine: Machine) -> None:
    former = os.umask(0o077)
    try:
        assert machine.run("one", "fail").code == 0
    finally:
        os.umask(former)
    assert stat.S_IMODE(machine.locks.stat().st_mode) == 0o1777
    lock = machine.locks / "cpu.lock"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o666
    lock.unlink()
    mine = machine.folder / "mine"
    mine.write_text("mine")
    os.link(mine, lock)
    refused = machine.run("two", "fail")
    assert refused.code == 2
    assert "cpu.lock: cannot be opened" in refused.error
    assert mine.read_text() == "mine"
    machine.locks.chmod(0o777)
    assert "chmod +t" in machine.run("two", "fail").error


def test_a_wrong_policy_is_refused(tmp_path: Path) -> None:
    found = llmbatch(tmp_path, "run", "in.csv", "--device-lock", "never")
    assert found.code == 2
    assert "'wait', 'skip' or 'fail'" in found.error
