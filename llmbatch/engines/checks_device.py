"""Engines that know before a start what the device of this machine cannot do."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class ChecksDevice(Protocol):
    """An engine of which some options do not work on each device. Optional."""

    def check_device(self) -> None:
        """Raise UsageError for an option that the device of this machine cannot do. Imports nothing
        of the engine's."""
        ...


def check_device(engine: Any) -> None:
    """Raise UsageError for an option that the engine knows not to work on this machine."""
    if isinstance(engine, ChecksDevice):
        engine.check_device()
