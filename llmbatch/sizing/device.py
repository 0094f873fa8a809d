"""A device and its best figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Device:
    """`count` devices of one kind; the figures are of each of them.

    `kind`: "gpu" or "cpu". `memory_bytes`: all that it has. `flops`: operations a second in dense
    matrix products of 16-bit numbers, `bandwidth`: bytes of its memory a second, both at most.
    `source`: the origin of the figures, in words.
    """

    name: str
    kind: str
    count: int
    memory_bytes: int
    flops: float
    bandwidth: float
    source: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """From the result of `dataclasses.asdict`; None where an older llmbatch stored none."""
        return cls(**value) if value else None

    @property
    def title(self) -> str:
        """Its name, and how many there are if more than one: "2 x H200"."""
        return self.name if self.count == 1 else f"{self.count} x {self.name}"

    @property
    def total_memory(self) -> int:
        """Bytes of all devices together."""
        return self.memory_bytes * self.count
