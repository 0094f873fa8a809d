"""What a run takes of its machine: processor time, memory and, where there is a GPU, its use."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from llmbatch.core import clock
from llmbatch.pipeline.monitoring import gpu_readings
from llmbatch.pipeline.monitoring.gpu_readings import Gpus, Reading

# Looks are this far apart at first and in the end, so that short runs are measured, too.
_FIRST_PAUSE = 0.1
_LAST_PAUSE = 1.0
# Looking for new processes means looking at all of the machine's.
_LOOKS_PER_SEARCH = 5
# How long a run waits in the end for a look that is being taken.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Resources:
    """What the run's process and those it has started took so far.

    `cpu_seconds`: ended processes included, as far as is known; `memory_bytes`: resident now,
    pages that processes share counted in each, and `peak_memory_bytes` the most that was seen.
    `gpu_utilization` (0..1): the mean of the devices over the run; `gpu_memory_bytes`: in use
    now, whoever uses it; `energy_joules`: of the devices since the run began. None where no
    device tells.
    """

    cpu_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    gpu_utilization: float | None = None
    gpu_memory_bytes: int | None = None
    energy_joules: float | None = None


class Meter:
    """Takes a look every second or sooner, in a thread of its own: a driver that hangs holds up
    nobody. Whatever goes wrong with a look is passed over.
    """

    def __init__(self, devices: int = 1, source: Gpus | None = None) -> None:
        """`devices`: how many of the visible ones the engine uses, until more is known."""
        self.devices = devices
        self._source = source
        self._then: Callable[[], None] = lambda: None
        self._resources: Resources | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meter", daemon=True)

    @property
    def resources(self) -> Resources | None:
        """By the last look; None before the first."""
        return self._resources

    def begin(self, then: Callable[[], None]) -> None:
        """Look from now on; `then` is called after each look."""
        self._then = then
        self._thread.start()

    def end(self) -> None:
        """Take a last look; nobody waits long for it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        with suppress(Exception):
            tree = _Tree()
            tree.look()
            self._resources = tree.resources
            self._look_again(tree, _Board(self._source or gpu_readings.found()))

    def _look_again(self, tree: "_Tree", board: "_Board") -> None:
        over, pause = False, _FIRST_PAUSE
        while not over:
            over = self._over.wait(pause)
            pause = min(2 * pause, _LAST_PAUSE)
            with suppress(Exception):
                tree.look()
                board.look(self.devices)
            self._resources = replace(
                tree.resources,
                gpu_utilization=board.utilization,
                gpu_memory_bytes=board.memory_bytes,
                energy_joules=board.joules,
            )
            with suppress(Exception):
                self._then()


class _Tree:
    """This process and all that it has started, those included that have ended since.

    The kernel adds the time of an ended process to the one that waited for it. Where nobody did,
    the sum becomes smaller from one look to the next by what is lost, which is kept.
    """

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._own = psutil.Process(os.getpid())
        self._members = self._found()
        # What was done before the run is not the run's, by whichever process.
        self._before = self._present = sum(self._measure(each)[0] for each in self._members)
        self._lost = 0.0
        self._looks = 0
        self._memory = self._peak = 0

    @property
    def resources(self) -> Resources:
        cpu_seconds = self._present + self._lost - self._before
        return Resources(cpu_seconds, self._memory, self._peak)

    def look(self) -> None:
        if self._looks % _LOOKS_PER_SEARCH == 0:
            self._members = self._found()
        self._looks += 1
        measured = [self._measure(process) for process in self._members]
        present = sum(cpu for cpu, _ in measured)
        self._lost += max(0.0, self._present - present)
        self._present = present
        self._memory = sum(held for _, held in measured)
        self._peak = max(self._peak, self._memory)

    def _found(self) -> list[Any]:
        return [self._own, *self._own.children(recursive=True)]

    def _measure(self, process: Any) -> tuple[float, int]:
        """Its processor seconds and resident bytes; none of one that has ended."""
        try:
            with process.oneshot():
                return self._cpu_of(process), int(process.memory_info().rss)
        except self._psutil.Error:
            return 0.0, 0

    def _cpu_of(self, process: Any) -> float:
        """Its seconds and those of ended processes that it has waited for."""
        times = process.cpu_times()
        ended = times.children_user + times.children_system
        return float(times.user + times.system + ended)


class _Board:
    """Sums over devices and time."""

    def __init__(self, source: Gpus) -> None:
        self._source = source
        self._first: dict[int, float] = {}  # joules of each device at the first look
        self._watched: dict[int, float] = {}  # joules by its power since, where it counts none
        self._looked_at = clock.seconds()
        self._busy = self._times = 0.0
        self.utilization: float | None = None
        self.memory_bytes: int | None = None
        self.joules: float | None = None

    def look(self, count: int) -> None:
        readings = self._source.read(count)
        now = clock.seconds()
        passed, self._looked_at = now - self._looked_at, now
        known = [each.utilization for each in readings if each.utilization is not None]
        if known:
            self._busy += sum(known) / len(known)
            self._times += 1
            self.utilization = self._busy / self._times
        held = [each.memory_bytes for each in readings if each.memory_bytes is not None]
        self.memory_bytes = sum(held) if held else None
        spent = [self._joules(place, each, passed) for place, each in enumerate(readings)]
        told = [joules for joules in spent if joules is not None]
        self.joules = sum(told) if told else None

    def _joules(self, place: int, reading: Reading, passed: float) -> float | None:
        """What a device has used since the first look at it: its own count, or else its present
        power for the time since the last look."""
        if reading.joules is not None:
            first = self._first.setdefault(place, reading.joules)
            return max(0.0, reading.joules - first)
        if reading.watts is None:
            return self._watched.get(place)
        if place in self._watched:
            self._watched[place] += reading.watts * passed
        return self._watched.setdefault(place, 0.0)
