"""The device of this machine, and its best figures.

The driver of an NVIDIA GPU reports the clocks and the width of the memory's bus; the operations of
its tensor cores in a clock cycle are in NVIDIA's architecture papers (Volta, Turing, Ampere GA100
and GA102, Ada, Hopper, Blackwell: dense products of 16-bit numbers, added up in 32 bits). A CPU has
flags for the products that it knows, and its bandwidth is measured by copying.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import ModuleType
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.sizing import cpu, datasheets
from llmbatch.sizing.device import Device

# By compute capability: CUDA cores of a multiprocessor, operations of its tensor cores in a clock.
_MULTIPROCESSORS = {
    (7, 0): (64, 1024),
    (7, 5): (64, 1024),
    (8, 0): (64, 2048),
    (8, 6): (128, 1024),
    (8, 9): (128, 1024),
    (9, 0): (128, 4096),
    (10, 0): (128, 8192),
    (12, 0): (128, 1024),
}
# GeForce cards add up in 32 bits at half the rate since Turing.
_HALVED = ((7, 5), (8, 6), (8, 9), (12, 0))


def detect(count: int = 1) -> Device | None:
    """`count` of this machine's NVIDIA GPUs, or its CPU if there is none; None for an
    unknown GPU."""
    with _driver() as library:
        if library is not None:
            return _nvidia(library, count, os.environ)
    return cpu.detect()


def visible() -> list[str]:
    """The GPUs that CUDA would see, as CUDA_VISIBLE_DEVICES names them; none without a driver."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    with _driver() as library:
        if library is None:
            return []
        if named is None:
            return [str(number) for number in range(library.nvmlDeviceGetCount())]
    names = [name.strip() for name in named.split(",")]
    # CUDA looks at no name behind one that is none.
    return list(takewhile(lambda name: name not in ("", "-1"), names))


@dataclass(frozen=True, slots=True)
class InstalledGpu:
    """A GPU of this machine. `total`, `free`: bytes of its memory; `capability`: of its
    multiprocessors, as CUDA counts them, None where the driver does not tell."""

    name: str
    total: int
    free: int
    capability: tuple[int, int] | None


def installed() -> list[InstalledGpu]:
    """The GPUs that the driver reports, whether CUDA may see them or not; none without one."""
    with _driver() as library:
        if library is None:
            return []
        handles = map(library.nvmlDeviceGetHandleByIndex, range(library.nvmlDeviceGetCount()))
        return [_installed(library, handle) for handle in handles]


def _installed(library: Any, handle: Any) -> InstalledGpu:
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    capability = None
    with contextlib.suppress(Exception):  # a part of a GPU refuses most questions
        capability = tuple(library.nvmlDeviceGetCudaComputeCapability(handle))
    name = _text(library.nvmlDeviceGetName(handle))
    return InstalledGpu(name, int(memory.total), int(memory.free), capability)


def by_name(name: str) -> Device:
    """A device by its maker's data sheet, such as "H200", "RTX 4090" or, two of them, "2xH200".

    Raises UsageError for an unknown name.
    """
    times = re.fullmatch(r"\s*(\d{1,6})\s*[xX*]\s*(.+)", name)
    count, single = (int(times[1]), times[2]) if times else (1, name)
    device = datasheets.find(single, count)
    if device is None or count < 1:
        known = ", ".join(datasheets.NAMES)
        raise UsageError(
            f"device {name!r}: not known{nearest(single, datasheets.NAMES)}; known are: {known} "
            "(2xH200: two of them)"
        )
    return device


@contextlib.contextmanager
def _driver() -> Iterator[ModuleType | None]:
    """NVML, initialised; None where there is no driver, or no GPU."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no library, no driver, no permission: there is no GPU for us
        yield None
        return
    try:
        yield pynvml if pynvml.nvmlDeviceGetCount() else None
    finally:
        with contextlib.suppress(Exception):
            pynvml.nvmlShutdown()


def _nvidia(library: Any, count: int, environment: Mapping[str, str]) -> Device | None:
    try:
        handle = _first(library, environment)
        name = _text(library.nvmlDeviceGetName(handle))
        memory = int(library.nvmlDeviceGetMemoryInfo(handle).total)
    except Exception:  # NVML has many kinds of error, and a part of a GPU refuses most questions
        return None
    try:
        return _by_clocks(library, handle, Device(name, "gpu", count, memory, 0, 0, ""))
    except Exception:
        sheet = datasheets.find(name, count)
        if sheet is None:
            return None
        source = f"{sheet.source} (the driver does not tell its clocks)"
        return Device(name, "gpu", count, memory, sheet.flops, sheet.bandwidth, source)


def _first(library: Any, environment: Mapping[str, str]) -> Any:
    """The first GPU that CUDA would see."""
    wanted = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if not wanted or wanted.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(wanted or 0))
    return library.nvmlDeviceGetHandleByUUID(wanted)


def _by_clocks(library: Any, handle: Any, bare: Device) -> Device:
    """`bare` with its speeds."""
    capability = tuple(library.nvmlDeviceGetCudaComputeCapability(handle))
    per_multiprocessor, operations = _multiprocessor(capability, bare.name)
    number = library.nvmlDeviceGetNumGpuCores(handle) // per_multiprocessor
    clock = library.nvmlDeviceGetMaxClockInfo(handle, library.NVML_CLOCK_SM)
    memory_clock = library.nvmlDeviceGetMaxClockInfo(handle, library.NVML_CLOCK_MEM)
    width = library.nvmlDeviceGetMemoryBusWidth(handle)
    source = (
        f"the driver: {number} multiprocessors x {clock / 1000:.2f} GHz x {operations:,} "
        f"operations, {width:,} bits x {2 * memory_clock / 1000:.1f} GHz"
    )
    # Memory of these cards moves two bits a clock on each line.
    bandwidth = 2 * memory_clock * 1e6 * width / 8
    flops = number * clock * 1e6 * operations
    return Device(bare.name, "gpu", bare.count, bare.memory_bytes, flops, bandwidth, source)


def _multiprocessor(capability: tuple[int, ...], name: str) -> tuple[int, int]:
    """Cores and operations a clock; of an unknown newer kind those of the last known one."""
    older = [each for each in _MULTIPROCESSORS if each <= capability]
    kind = max(older, default=min(_MULTIPROCESSORS))
    cores, operations = _MULTIPROCESSORS[kind]
    return cores, operations // 2 if kind in _HALVED and "geforce" in name.lower() else operations


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
