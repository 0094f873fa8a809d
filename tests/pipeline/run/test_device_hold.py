"""The devices that are held: which they are, and in which order they are taken."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import DeviceLockedError
from llmbatch.job.engine import EngineSpec
from llmbatch.pipeline.monitoring import gpu_readings
from llmbatch.pipeline.monitoring.gpu_readings import Nvml
from llmbatch.pipeline.run.device_hold import CPU, DeviceHold, devices_of
from llmbatch.pipeline.run.stop_request import StopRequest


class Driver:
    """Three GPUs, as NVML tells of them."""

    NVMLError = RuntimeError

    def nvmlDeviceGetCount(self) -> int:
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> int:
        return int(uuid.decode()[-1])

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    def visible(names: str | None) -> None:
        monkeypatch.setattr(gpu_readings, "detect", lambda: Nvml(Driver(), names))

    visible(None)
    return visible


@pytest.mark.parametrize(
    ("settings", "visible", "devices"),
    [
        ([{}], None, ["gpu-0"]),
        ([{}], "2,GPU-1", ["gpu-2"]),
        ([{"tensor_parallel_size": 2}], "2,GPU-1", ["gpu-2", "gpu-1"]),
        ([{"replicas": "auto"}], None, ["gpu-0", "gpu-1", "gpu-2"]),
        ([{"replicas": "1..2"}], None, ["gpu-0", "gpu-1"]),
        ([{}, {"tensor-parallel-size": 3}], None, ["gpu-0", "gpu-1", "gpu-2"]),
        ([{}], "", [CPU]),
        ([{"name": "openai", "base_url": "http://h/v1"}], None, []),
        ([{"name": "ray", "address": "h:6379"}], None, []),
        ([{"name": "ray"}], None, ["gpu-0"]),
    ],
)
def test_the_devices_of_engines(
    gpus: Any, settings: list[dict[str, Any]], visible: str | None, devices: list[str]
) -> None:
    gpus(visible)
    assert devices_of([EngineSpec(**each) for each in settings]) == devices


def test_all_are_taken_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBATCH_DEVICE_LOCKS", str(tmp_path))
    one, two, stop = DeviceHold(), DeviceHold(), StopRequest()
    one.take(["b"], stop, 0.0, print)
    with pytest.raises(DeviceLockedError, match="device b "):
        two.take(["b", "a"], stop, 0.0, print)
    assert not two.holds(["a"])
    one.take(["a"], stop, 0.0, print)
    assert one.holds(["a"])
    assert not one.holds(["b"]), "others are let go"
    two.take(["b"], stop, 0.0, print)
    stop.request("enough")
    two.take(["b", "a"], stop, float("inf"), print)
    assert not two.holds(["b"])


def test_each_run_waits_for_them_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBATCH_DEVICE_LOCKS", str(tmp_path))
    one, two, stop, told = DeviceHold(), DeviceHold(), StopRequest(), []
    one.take(["a", "b"], stop, 0.0, print)

    def tell(line: str) -> None:
        told.append(line.partition(" (")[0])
        stop.request("enough")

    two.take(["b", "a"], stop, float("inf"), tell)
    assert told == ["waiting for the device a"]
