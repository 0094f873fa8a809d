"""A disk that refuses the journal: nothing is acknowledged, nothing is lost, the run resumes."""

import errno
from pathlib import Path

import pytest

from tests.crash.tracer import Fault, Tracer
from tests.crash.workload import Nights, undisturbed

REFUSED = [
    Fault("write", "out.llmbatch/journal", errno.ENOSPC, first=3, count=1),
    Fault("write", "out.llmbatch/journal", errno.ENOSPC, first=3),
    Fault("sync", "out.llmbatch/journal", errno.EIO, first=4, count=1),
    Fault("write", "out.llmbatch/job.duckdb.wal", errno.ENOSPC, first=6),
    Fault("sync", "out.llmbatch/job.duckdb.wal", errno.EIO, first=6),
]


@pytest.fixture(scope="module")
def nights(tracer: Tracer, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The undisturbed job."""
    return undisturbed(tracer, tmp_path_factory.mktemp("nights"))


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: f"{fault.kind} {fault.path}")
def test_the_same_command_goes_on_after_a_full_disk(
    tracer: Tracer, nights: Nights, tmp_path: Path, fault: Fault
) -> None:
    place = nights.before[1].copy(tmp_path / "place")
    stopped = tracer.run(place.arguments(), place.folder, faults=[fault])
    assert stopped.code == 4, stopped.stderr
    errors = [line for line in stopped.stderr.splitlines() if line.startswith("llmbatch: error: ")]
    assert len(errors) == 1
    assert "run the same command again" in errors[0]
    finished = tracer.run(place.arguments(), place.folder, traced=False)
    assert finished.code == nights.results[1].code, finished.stderr
    assert place.files() == nights.results[1].files
    assert place.state() == nights.results[1].state
