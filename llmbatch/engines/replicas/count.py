"""The number of replicas that a run wishes."""

import re
from dataclasses import dataclass
from typing import Self

_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ReplicaCount:
    """From `least` to `most` replicas; `most` None: as many as the devices have room for."""

    least: int
    most: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `4`, `2..8` or `auto`. Raises ValueError for anything else."""
        if text.strip() == "auto":
            return cls(1, None)
        found = _RANGE.fullmatch(text.strip())
        least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= least <= most:
            raise ValueError("write a number of replicas (4), a range (2..8), or auto")
        return cls(least, most)

    @property
    def fixed(self) -> int | None:
        """The number, where it does not depend on what there is."""
        return self.least if self.least == self.most else None
