"""Runs that start in a fraction of a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import QuickJob
from tests.crash.tracer import Tracer


@pytest.fixture(scope="session")
def forks() -> Iterator[Tracer]:
    """Starts command lines in forks of a process that has imported everything already."""
    with Tracer() as tracer:
        yield tracer


@pytest.fixture
def quick(tmp_path: Path, forks: Tracer) -> QuickJob:
    """A job of three rows in a folder of its own, whose commands start quickly."""
    job = QuickJob(tmp_path, forks)
    job.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n")
    return job


@pytest.fixture
def job(quick: QuickJob) -> QuickJob:
    """The job of the tests in this room: a new Python for each command would take most of a
    test's time and show nothing more, so only a few start one."""
    return quick
