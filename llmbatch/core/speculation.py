"""Speculative decoding in figures: tokens that were drafted ahead, and those that were accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Speculation:
    """Counters of an engine. `drafts`: how often tokens were drafted for a request; `drafted` and
    `accepted`: such tokens by their position in a draft. Each accepted token is one that a request
    got without a step of its own."""

    drafts: int = 0
    drafted: Sequence[int] = ()
    accepted: Sequence[int] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """From the result of `dataclasses.asdict`; no drafts where an older llmbatch kept none."""
        found = value or {}
        drafted, accepted = found.get("drafted", ()), found.get("accepted", ())
        return cls(found.get("drafts", 0), tuple(drafted), tuple(accepted))

    @property
    def draft_tokens(self) -> int:
        return sum(self.drafted)

    @property
    def accepted_tokens(self) -> int:
        return sum(self.accepted)

    @property
    def acceptance(self) -> list[float]:
        """By position, the share of drafted tokens that were accepted."""
        pairs = zip_longest(self.accepted, self.drafted, fillvalue=0)
        return [accepted / drafted if drafted else 0.0 for accepted, drafted in pairs]

    def __add__(self, other: "Speculation") -> "Speculation":
        return self._with(other, 1)

    def __sub__(self, other: "Speculation") -> "Speculation":
        """The drafts since `other`."""
        return self._with(other, -1)

    def _with(self, other: "Speculation", sign: int) -> "Speculation":
        def joined(one: Sequence[int], two: Sequence[int]) -> tuple[int, ...]:
            return tuple(a + sign * b for a, b in zip_longest(one, two, fillvalue=0))

        return Speculation(
            self.drafts + sign * other.drafts,
            joined(self.drafted, other.drafted),
            joined(self.accepted, other.accepted),
        )
