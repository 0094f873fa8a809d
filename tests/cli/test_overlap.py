"""Two runs of one job: one works, the other one says who does. The job is never worked on twice."""

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import file, folder
from llmbatch.pipeline.run import execute as pipeline
from llmbatch.pipeline.run import preflight
from tests.cli.command import ENGINE, Finished, Job, QuickJob
from tests.crash.states import State
from tests.crash.tracer import Tracer
from tests.workbench import Observed

PAIRS = 16
FOLDERS = 4
HELD_BY = re.compile(
    r"another run holds this job \(pid \d+ on (?P<host>\S+) since 20\S+\); wait for it"
)


@pytest.fixture(scope="module")
def twin_forks(forks: Tracer) -> Iterator[list[tuple[Tracer, Tracer]]]:
    """Two that can start runs at the same moment, twice."""
    with Tracer() as second, Tracer() as third, Tracer() as fourth:
        yield [(forks, second), (third, fourth)]


def test_of_two_runs_at_the_same_moment_one_works(
    twin_forks: list[tuple[Tracer, Tracer]], tmp_path: Path
) -> None:
    def in_folder(number: int) -> int:
        return overlap(tmp_path / str(number), twin_forks[number % 2])

    with ThreadPoolExecutor(2) as threads:
        odd_and_even = [range(start, FOLDERS, 2) for start in (0, 1)]
        met = list(threads.map(lambda numbers: sum(map(in_folder, numbers)), odd_and_even))
    assert sum(met) > PAIRS // 5, "they hardly met"


def overlap(folder: Path, starters: tuple[Tracer, Tracer]) -> int:
    """Some pairs of runs in a new folder; how many runs were sent away."""
    folder.mkdir()
    twins = [QuickJob(folder, starter) for starter in starters]
    rows = PAIRS // FOLDERS * 2 + 1
    twins[0].write("in.csv", "id,text\n" + "".join(f"{n},t{n}\n" for n in range(rows)))
    ends = [end for _ in range(PAIRS // FOLDERS) for end in at_once(twins)]
    sent_away = [end for end in ends if end.code != 4]
    for end in sent_away:
        assert_sent_away(end)
    assert len(sent_away) <= PAIRS // FOLDERS, "of two both were sent away"
    computed = (folder / "ledger").read_text().split()
    # Two at work would both have begun with the first request that is pending.
    assert len(computed) == len(set(computed)) == len(ends) - len(sent_away)
    state = State.read(twins[0].state / "job.duckdb")
    assert (state.violations, state.settled()) == ({}, set(computed))
    return len(sent_away)


def at_once(twins: list[QuickJob]) -> list[Finished]:
    """Each computes one row, which takes a while."""
    barrier = threading.Barrier(len(twins))

    def start(job: QuickJob) -> Finished:
        barrier.wait()
        return job.run("-q", "--max-rows", "1", engine="delay=0.25")

    with ThreadPoolExecutor(len(twins)) as threads:
        return list(threads.map(start, twins))


def assert_sent_away(end: Finished) -> None:
    assert end.code == 75, end.stderr
    found = HELD_BY.fullmatch(end.error)
    if found:
        assert found["host"] == socket.gethostname()
    else:
        # It ended while this one asked.
        assert "it has just ended" in end.error


@pytest.fixture(scope="module")
def busy(forks: Tracer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuickJob]:
    """A job on which a run is at work; whatever others do, it ends well."""
    job = QuickJob(tmp_path_factory.mktemp("busy"), forks)
    with at_work(job, 70):
        yield job
    assert job.computed() == 70
    assert len(job.records()) == 70


@contextmanager
def at_work(job: QuickJob, rows: int) -> Iterator[None]:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(rows)))
    with job.start("-q", "--checkpoint-seconds", "0.2", engine="delay=0.1 window=2") as running:
        running.until_answered(2)
        yield
        assert running.wait().code == 0


def test_by_default_a_second_run_fails(busy: QuickJob) -> None:
    second = busy.run("-q")
    assert (second.code, bool(HELD_BY.fullmatch(second.error))) == (75, True)
    # Forgetting is for the one that holds the job.
    assert busy.run("-q", "--fresh").code == 75


def test_a_second_run_can_be_skipped(busy: QuickJob) -> None:
    skipped = busy.run("--if-locked", "skip")
    assert (skipped.code, skipped.stdout) == (0, "")
    assert re.fullmatch(r"llmbatch: skipped: another run holds .*\n", skipped.stderr)
    assert busy.run("--if-locked", "skip", "-q").stderr == ""


def test_an_interrupt_ends_the_waiting(busy: QuickJob) -> None:
    with busy.start("-q", "--if-locked", "wait") as waiting:
        waiting.until_listening()
        time.sleep(0.5)
        assert waiting.process.poll() is None
        waiting.signal(signal.SIGINT)
        assert waiting.wait().code == 130


def test_a_second_run_can_wait(quick: QuickJob) -> None:
    with at_work(quick, 45):
        began = time.monotonic()
        late = quick.run("-q", "--if-locked", "wait", "--deadline", "1s")
        assert late.code == 75
        assert 1 <= time.monotonic() - began < 1 + 1.5
        waited = quick.run("--if-locked", "wait")
    assert (waited.code, quick.computed()) == (0, 45)
    assert "45 rows reused" in waited.stderr


def test_a_run_that_waited_for_another_one_does_not_throw_its_work_away(tmp_path: Path) -> None:
    """Both found no state folder and made it; the other one got the lock first."""
    job = Job(tmp_path)
    job.write("in.csv", "id,text\n1,hello\n")
    flags = {
        "input": str(tmp_path / "in.csv"), "output": str(job.output), "model": "m",
        "prompt": "{{ text }}",
        "engine": {"name": ENGINE},
    }  # fmt: skip
    good = file.load(None, flags)
    bad = file.load(None, flags | {"prompt": "{{ no_such_column }}"})
    make = folder.make_private

    def overtaken(state: Path) -> bool:
        made = make(state)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folder, "make_private", make)
            assert pipeline.execute(preflight.make_ready(good), Observed()).exit_code == 0
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "make_private", overtaken)
        with pytest.raises(UsageError, match="no_such_column"):
            pipeline.execute(preflight.make_ready(bad), Observed())
    assert len(State.read(job.state / "job.duckdb").settled()) == 1
