"""The devices of a run, held while it needs an engine, so that jobs queue for them."""

from collections.abc import Callable, Iterable, Sequence

from llmbatch.core import clock
from llmbatch.core.errors import DeviceLockedError
from llmbatch.job.engine import EngineSpec, parallel
from llmbatch.pipeline.monitoring import gpu_readings
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.store.device_lock import DeviceLock

CPU = "cpu"
"""In place of the devices of a machine without any that can be told apart."""
_LOOK = 1.0


class DeviceHold:
    """Locks of devices, all of which are taken or none. They are taken in the order of their names
    by every run, so that no two runs wait for each other."""

    def __init__(self) -> None:
        self._held: list[DeviceLock] = []

    def holds(self, devices: Iterable[str]) -> bool:
        """True if it has them already."""
        return {*devices} <= {lock.device for lock in self._held}

    def take(
        self,
        devices: Sequence[str],
        stop: StopRequest,
        wait_until: float,
        tell: Callable[[str], None],
    ) -> float:
        """Hold these devices, and no others, or none if a stop is asked for meanwhile; returns the
        seconds that this has taken. `wait_until`: clock.seconds() until which to wait for other
        runs; `tell` says for whom.

        Raises DeviceLockedError if another run has one of them by then, UsageError where there can
        be no locks.
        """
        began = clock.seconds()
        self.release()
        try:
            for device in sorted({*devices}):
                self._take(DeviceLock(device), stop, wait_until, tell)
        except BaseException:
            self.release()
            raise
        if stop.drain:
            self.release()
        return clock.seconds() - began

    def _take(
        self, lock: DeviceLock, stop: StopRequest, wait_until: float, tell: Callable[[str], None]
    ) -> None:
        told = ""
        while not lock.take():
            who = lock.holder()
            if stop.drain:
                return
            if clock.seconds() >= wait_until:
                raise DeviceLockedError(
                    f"another run holds the device {lock.device} ({who}); wait for it"
                )
            if who != told:
                tell(f"waiting for the device {lock.device} ({who})")
                told = who
            stop.sleep(_LOOK)
        self._held.append(lock)

    def release(self) -> None:
        """Let others have them."""
        while self._held:
            self._held.pop().release()


def devices_of(engines: Iterable[EngineSpec]) -> list[str]:
    """The names of the devices that these engines take, one engine after the other: the first ones
    that are visible. Empty for engines that are elsewhere."""
    most = 0
    for engine in engines:
        if engine.name == "openai" or engine.address is not None:
            continue
        count = engine.count
        replicas = 1 if count is None else count.most
        most = max(most, 2**31 if replicas is None else parallel(engine.options) * replicas)
    return _names(most) if most else []


def _names(most: int) -> list[str]:
    visible = gpu_readings.visible_uuids()
    return [uuid.lower() for uuid in visible[:most]] or [CPU]
