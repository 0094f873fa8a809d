"""The things that a run holds, which no other one works on then: the job, and perhaps devices."""

from collections.abc import Iterator
from contextlib import contextmanager

from llmbatch.core.errors import DeviceLockedError
from llmbatch.pipeline.run import device_hold
from llmbatch.pipeline.run.context import Context
from llmbatch.store.lock import JobLock

# A shorter wait is not worth to be left out of the run.
_NOTHING = 1.0
_ELSEWHERE = "the engine's devices are elsewhere, and are not locked (--device-lock)"


@contextmanager
def job(context: Context) -> Iterator[None]:
    """Hold the job, and in the end no device any more, unless the series of runs has it. Who waits
    for a job holds no engine: the other run may wait for its device. Raises LockedError."""
    spec, series = context.job.spec, context.series
    until = context.deadline if spec.run.if_locked == "wait" else 0.0
    with JobLock(context.job.paths.lock, until, series.let_go if series else lambda: None):
        if series is not None:
            context.devices = series.devices
        try:
            yield
        finally:
            if series is None:
                context.devices.release()


def devices(context: Context) -> None:
    """Hold the devices that the run's engines need, if it is to have them alone. Raises
    DeviceLockedError if another run has one, and this one is not to wait, or not for so long."""
    policy = context.job.spec.run.device_lock
    if policy is None:
        return
    wanted = device_hold.devices_of(context.engine_specs)
    if not wanted:
        context.observer.phase(_ELSEWHERE)
    elif not context.devices.holds(wanted):
        _take(context, wanted, waits=policy == "wait")


def _take(context: Context, wanted: list[str], *, waits: bool) -> None:
    try:
        context.devices.take(wanted, context.stop, 0.0, context.phase)
    except DeviceLockedError:
        if not waits:
            raise
        if context.series is not None:
            context.series.let_go()
        seconds = context.devices.take(wanted, context.stop, context.deadline, context.phase)
        if seconds >= _NOTHING:
            context.waited(seconds)
