"""The utilization, memory and energy of NVIDIA devices during a run, read through NVML."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """The present state of a device: its utilization (0..1), the bytes of its memory in use, the
    joules since its driver was loaded, and the watts now. None where it is not reported."""

    utilization: float | None
    memory_bytes: int | None
    joules: float | None
    watts: float | None


class Gpus(Protocol):
    """Devices that can be read."""

    def read(self, count: int) -> Sequence[Reading]:
        """A reading of each of the first `count` devices."""
        ...


class NoGpus:
    """No device can be read."""

    def read(self, count: int) -> Sequence[Reading]:
        return ()


class Nvml:
    """The devices that CUDA_VISIBLE_DEVICES names, or all where it is not set.

    Numbers are NVML's, in the order of the bus. CUDA's are the same where the devices are alike or
    CUDA_DEVICE_ORDER is PCI_BUS_ID.
    """

    def __init__(self, nvml: Any, visible: str | None) -> None:
        """`nvml`: the initialised module; its exceptions are passed on."""
        self._nvml = nvml
        self._handles = [self._handle(name) for name in _names(nvml, visible)]

    def _handle(self, name: str) -> Any:
        if name.isdecimal():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(name))
        return self._nvml.nvmlDeviceGetHandleByUUID(name.encode())

    def read(self, count: int) -> Sequence[Reading]:
        return [self._read(handle) for handle in self._handles[:count]]

    def uuids(self) -> Sequence[str]:
        """The names of the devices, by which other processes know them, too."""
        found = (self._ask(self._nvml.nvmlDeviceGetUUID, handle) for handle in self._handles)
        known = [uuid for uuid in found if uuid is not None]
        return [uuid.decode() if isinstance(uuid, bytes) else str(uuid) for uuid in known]

    def _read(self, handle: Any) -> Reading:
        nvml = self._nvml
        busy = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        millijoules = self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        milliwatts = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        return Reading(
            utilization=None if busy is None else busy.gpu / 100,
            memory_bytes=None if memory is None else int(memory.used),
            joules=None if millijoules is None else millijoules / 1000,
            watts=None if milliwatts is None else milliwatts / 1000,
        )

    def _ask(self, question: Any, handle: Any) -> Any:
        """The answer of NVML, or None if the device does not support the question."""
        try:
            return question(handle)
        except self._nvml.NVMLError:
            return None


def detect() -> Gpus:
    """The devices of this machine; none without a driver. Never raises."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return Nvml(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except Exception:  # no package, no driver, an older driver: then nothing is measured
        return NoGpus()


def visible_uuids() -> Sequence[str]:
    """The UUIDs of the devices that this process may use, in their order; none without a driver."""
    gpus = detect()
    return gpus.uuids() if isinstance(gpus, Nvml) else ()


def _names(nvml: Any, visible: str | None) -> list[str]:
    """The devices by number or UUID; as in CUDA, none after a name that is not one."""
    if visible is None:
        return [str(number) for number in range(nvml.nvmlDeviceGetCount())]
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        if not name.isdecimal() and not name.startswith(("GPU-", "MIG-")):
            break
        names.append(name)
    return names
