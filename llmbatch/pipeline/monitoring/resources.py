"""The resources that a run uses: processor time, memory and, where there are GPUs, their use."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from llmbatch.core import clock
from llmbatch.pipeline.monitoring import gpu_readings
from llmbatch.pipeline.monitoring.gpu_readings import Gpus, Reading

# Seconds between measurements: short at first, so that short runs are measured, too.
_FIRST_PAUSE = 0.1
_LAST_PAUSE = 1.0
# Finding new processes reads all processes of the machine.
_MEASUREMENTS_PER_SEARCH = 5
# Seconds that a run waits at its end for the last measurement.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of the run's process and of those that it has started, so far.

    `cpu_seconds`: ended processes included, as far as is known; `memory_bytes`: resident now,
    shared pages counted in each process, and `peak_memory_bytes` the most that was measured.
    `gpu_utilization` (0..1): the mean of the devices over the run; `gpu_memory_bytes`: in use
    now, by any process; `energy_joules`: of the devices since the run began. None where no
    device reports it.
    """

    cpu_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    gpu_utilization: float | None = None
    gpu_memory_bytes: int | None = None
    energy_joules: float | None = None


class Meter:
    """Measures every second or sooner, in a thread of its own, so that a driver that hangs does
    not stop the run. A measurement that fails is left out.
    """

    def __init__(self, devices: int = 1, source: Gpus | None = None) -> None:
        """`devices`: the number of visible devices that the engine uses, until it is reported."""
        self.devices = devices
        self._source = source
        self._then: Callable[[], None] = lambda: None
        self._resources: Resources | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meter", daemon=True)

    @property
    def resources(self) -> Resources | None:
        """The last measurement; None before the first."""
        return self._resources

    def begin(self, then: Callable[[], None]) -> None:
        """Measure from now on; `then` is called after each measurement."""
        self._then = then
        self._thread.start()

    def end(self) -> None:
        """Measure once more, and wait for that at most half a second."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        with suppress(Exception):
            tree = _ProcessTree()
            tree.measure()
            self._resources = tree.resources
            self._keep_measuring(tree, _GpuTotals(self._source or gpu_readings.detect()))

    def _keep_measuring(self, tree: "_ProcessTree", gpus: "_GpuTotals") -> None:
        over, pause = False, _FIRST_PAUSE
        while not over:
            over = self._over.wait(pause)
            pause = min(2 * pause, _LAST_PAUSE)
            with suppress(Exception):
                tree.measure()
                gpus.measure(self.devices)
            self._resources = replace(
                tree.resources,
                gpu_utilization=gpus.utilization,
                gpu_memory_bytes=gpus.memory_bytes,
                energy_joules=gpus.joules,
            )
            with suppress(Exception):
                self._then()


class _ProcessTree:
    """This process and all that it has started, those included that have ended since.

    The kernel adds the time of an ended process to the process that waited for it. If none did, the
    sum becomes smaller from one measurement to the next; the difference is kept in `_lost`.
    """

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._own = psutil.Process(os.getpid())
        self._members = self._find()
        # The time that the processes had used before the run is not the run's.
        self._before = self._present = sum(self._measure(each)[0] for each in self._members)
        self._lost = 0.0
        self._count = 0
        self._memory = self._peak = 0

    @property
    def resources(self) -> Resources:
        cpu_seconds = self._present + self._lost - self._before
        return Resources(cpu_seconds, self._memory, self._peak)

    def measure(self) -> None:
        if self._count % _MEASUREMENTS_PER_SEARCH == 0:
            self._members = self._find()
        self._count += 1
        measured = [self._measure(process) for process in self._members]
        present = sum(cpu for cpu, _ in measured)
        self._lost += max(0.0, self._present - present)
        self._present = present
        self._memory = sum(resident for _, resident in measured)
        self._peak = max(self._peak, self._memory)

    def _find(self) -> list[Any]:
        return [self._own, *self._own.children(recursive=True)]

    def _measure(self, process: Any) -> tuple[float, int]:
        """The processor seconds and resident bytes of a process; zero if it has ended."""
        try:
            with process.oneshot():
                return self._cpu_of(process), int(process.memory_info().rss)
        except self._psutil.Error:
            return 0.0, 0

    def _cpu_of(self, process: Any) -> float:
        """The seconds of a process and of the ended processes that it has waited for."""
        times = process.cpu_times()
        ended = times.children_user + times.children_system
        return float(times.user + times.system + ended)


class _GpuTotals:
    """Sums of readings over devices and time."""

    def __init__(self, source: Gpus) -> None:
        self._source = source
        self._first: dict[int, float] = {}  # joules of each device at the first reading
        self._watched: dict[int, float] = {}  # joules computed from its power, where it counts none
        self._measured_at = clock.seconds()
        self._busy = self._times = 0.0
        self.utilization: float | None = None
        self.memory_bytes: int | None = None
        self.joules: float | None = None

    def measure(self, count: int) -> None:
        readings = self._source.read(count)
        now = clock.seconds()
        passed, self._measured_at = now - self._measured_at, now
        known = [each.utilization for each in readings if each.utilization is not None]
        if known:
            self._busy += sum(known) / len(known)
            self._times += 1
            self.utilization = self._busy / self._times
        used = [each.memory_bytes for each in readings if each.memory_bytes is not None]
        self.memory_bytes = sum(used) if used else None
        spent = [self._joules(index, each, passed) for index, each in enumerate(readings)]
        counted = [joules for joules in spent if joules is not None]
        self.joules = sum(counted) if counted else None

    def _joules(self, index: int, reading: Reading, passed: float) -> float | None:
        """The joules of a device since its first reading: its own count, or else its present power
        times the time since the last reading, summed up."""
        if reading.joules is not None:
            first = self._first.setdefault(index, reading.joules)
            return max(0.0, reading.joules - first)
        if reading.watts is None:
            return self._watched.get(index)
        if index in self._watched:
            self._watched[index] += reading.watts * passed
        return self._watched.setdefault(index, 0.0)
