"""The parts of an engine that end and start while the rest goes on: replicas, servers."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class PartEvent:
    """Something that has happened to a part of an engine. `name`: for the run's log, such as
    replica_started; `part`: the part, in words; `text`: all of it, a line for people. `died`: the
    reason, a line, if this is its death, with so many requests `in_flight`."""

    name: str
    part: str
    text: str
    died: str | None = None
    in_flight: int = 0


@runtime_checkable
class HasParts(Protocol):
    """An engine of several parts that end and start while the rest goes on. Optional."""

    def part_events(self) -> list[PartEvent]:
        """The events since the last time that it was asked. From any thread."""
        ...


def part_events_of(engine: object) -> list[PartEvent]:
    """The events of an engine's parts since the last time; none where it has no parts."""
    return engine.part_events() if isinstance(engine, HasParts) else []
