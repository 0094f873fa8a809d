"""The live view: always whole, rarely written, never in the way."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.engines.info import EngineInfo
from llmbatch.job.cost import CostSpec
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring import status
from llmbatch.pipeline.monitoring.cost_so_far import RunCost
from llmbatch.pipeline.monitoring.gpu_readings import NoGpus
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.pipeline.monitoring.resources import Meter
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.sizing.device import Device
from llmbatch.store.results import Counts


def progress(done: int) -> Progress:
    return Progress(100, done, 0, 1, 50, 500, 2.0)


def test_a_phase_is_seen_at_once(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    view = StatusFile(paths)
    for name in ("planning", "generating"):
        view.phase(name)
        seen = status.read(paths)
        assert seen["phase"] == name
        assert {"pid", "host", "started_at", "updated_at"} <= set(seen)


def test_an_end_keeps_the_last_progress(tmp_path: Path) -> None:
    view = StatusFile(JobPaths(tmp_path))
    view.phase("generating")
    view.progress(progress(60))
    view.phase("ended", reason="finished", exit_code=3)
    seen = status.read(JobPaths(tmp_path))
    assert (seen["phase"], seen["reason"], seen["exit_code"]) == ("ended", "finished", 3)
    assert Progress(**seen["progress"]) == progress(60)
    assert (seen["rows_per_second"], seen["eta_seconds"]) == (30.0, pytest.approx(40 / 30))


def test_a_hold_is_in_the_view(tmp_path: Path) -> None:
    view = StatusFile(JobPaths(tmp_path))
    view.progress(replace(progress(60), held_back_seconds=12.5))
    assert status.read(JobPaths(tmp_path))["progress"]["held_back_seconds"] == 12.5


def test_progress_is_written_at_most_once_a_second(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    view = StatusFile(paths)
    view.phase("generating")
    first = paths.status.read_bytes()
    for done in range(200):
        view.progress(progress(done))
    assert paths.status.read_bytes() == first
    time.sleep(1.05)
    view.progress(progress(77))
    second = paths.status.read_bytes()
    assert orjson.loads(second)["progress"]["rows_done"] == 77
    view.progress(progress(78))
    assert paths.status.read_bytes() == second


def test_cost_and_time_count_before_there_is_progress(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    run_cost = RunCost(CostSpec(price_per_hour=3600, currency="EUR"), clock.seconds() - 10)
    StatusFile(paths, run_cost).phase("starting the engine")
    seen = status.read(paths)
    assert seen["cost"] == pytest.approx(10, abs=1)
    assert seen["elapsed_seconds"] == pytest.approx(10, abs=1)
    assert (seen["currency"], seen["resources"], seen["engine_restarts"]) == ("EUR", None, 0)


def test_rows_are_those_of_the_store_and_of_this_run(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    view = StatusFile(paths)
    view.counts(Counts(answered=20, failed=5, pending=75, rejected=3, skipped=7))
    view.phase("generating")
    assert status.read(paths)["rows"] == {
        "answered": 20,
        "failed": 5,
        "pending": 75,
        "rejected": 3,
        "skipped": 7,
    }
    view.progress(Progress(100, 60, 25, 4, 50, 500, 2.0))
    view.phase("stopping")
    rows = status.read(paths)["rows"]
    assert rows == {"answered": 51, "failed": 9, "pending": 40, "rejected": 3, "skipped": 7}


def test_a_beat_shows_that_the_run_lives_only_when_nothing_else_does(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    view = StatusFile(paths)
    view.phase("planning")
    first = status.read(paths)
    view.beat()
    assert status.read(paths) == first
    time.sleep(1.6)
    view.beat()
    second = status.read(paths)
    assert second["updated_at"] > first["updated_at"]
    view.phase("ended", reason="finished", exit_code=0)
    third = status.read(paths)
    time.sleep(1.6)
    view.beat()
    assert status.read(paths) == third


FOUR = Device("H200", "gpu", 4, 1 << 37, 1e15, 4.8e12, "made up")


@pytest.mark.parametrize(
    ("info", "devices"),
    [
        (EngineInfo(hardware=FOUR, parallelism={"tensor": 2}), 4),
        (EngineInfo(parallelism={"tensor": 2, "pipeline": 3}), 6),
        (EngineInfo(), 2),
    ],
)
def test_the_meter_looks_at_the_devices_of_the_engine(
    tmp_path: Path, info: EngineInfo, devices: int
) -> None:
    meter = Meter(2, NoGpus())
    StatusFile(JobPaths(tmp_path), meter=meter).engine(1, info)
    assert meter.devices == devices


def test_a_reader_never_sees_a_part_of_it(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    view = StatusFile(paths)
    view.phase("0")
    done = threading.Event()

    def write() -> None:
        for number in range(300):
            view.phase(str(number), filler="x" * number * 20)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        status.read(paths)
        reads += 1
    writer.join()
    assert reads > 1
    assert status.read(paths)["phase"] == "299"


@pytest.mark.parametrize("kind", ["gone", "a file"])
def test_a_folder_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    if kind == "a file":
        state.write_text("")
    view = StatusFile(JobPaths(state))
    view.phase("generating")
    view.progress(progress(1))
    assert not (state / "status.json").exists()


def test_a_view_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run has worked here yet"):
        status.read(JobPaths(tmp_path))


def test_a_damaged_view_is_told(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"phase":')
    with pytest.raises(UsageError, match=r"status\.json: is damaged"):
        status.read(JobPaths(tmp_path))
