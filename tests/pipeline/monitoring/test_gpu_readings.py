"""The devices that are read, and the units of the readings; without a device."""

from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.pipeline.monitoring.gpu_readings import Nvml, Reading


class Library:
    """The used part of NVML's Python binding, for three devices."""

    class NVMLError(Exception):
        pass

    def __init__(self, *unknown: str) -> None:
        self._unknown = unknown

    def nvmlDeviceGetCount(self) -> int:
        return 3

    def nvmlDeviceGetHandleByIndex(self, number: int) -> str:
        if number > 2:
            raise self.NVMLError("invalid argument")
        return f"device {number}"

    def nvmlDeviceGetHandleByUUID(self, name: bytes) -> str:
        return f"device {name.decode()}"

    def __getattr__(self, question: str) -> Any:
        answers = {
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=87, memory=30),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 << 30, used=7 << 30),
            "nvmlDeviceGetTotalEnergyConsumption": 12_345_000,
            "nvmlDeviceGetPowerUsage": 650_500,
        }

        def ask(handle: str) -> Any:
            if question in self._unknown:
                raise self.NVMLError("not supported")
            return answers[question]

        return ask


def test_readings_are_in_base_units() -> None:
    (reading,) = Nvml(Library(), "0").read(1)
    assert reading == Reading(0.87, 7 << 30, 12_345.0, 650.5)


def test_what_a_device_does_not_tell_is_none() -> None:
    library = Library("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetUtilizationRates")
    (reading,) = Nvml(library, "0").read(1)
    assert reading == Reading(None, 7 << 30, None, 650.5)


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, 3),
        ("", 0),
        ("1", 1),
        ("0,2", 2),
        (" 2 , 0 ", 2),
        ("GPU-8f6d1b2e,MIG-11", 2),
        ("0,-1,2", 1),  # CUDA sees what stands before the first that is none
        ("NoDevFiles", 0),
    ],
)
def test_the_visible_devices_are_those_of_cuda(visible: str | None, devices: int) -> None:
    assert len(Nvml(Library(), visible).read(99)) == devices
