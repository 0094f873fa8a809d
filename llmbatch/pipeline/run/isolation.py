"""The choice of requests that may run together after the engine has died.

Requests in flight at two deaths are suspects. They run in ever smaller groups, half of them at
a time (group testing by binary splitting; D.-Z. Du and F. K. Hwang, Combinatorial Group Testing
and Its Applications, 2000, ch. 2), until the poison request, which kills the engine, is alone
with it. With n in flight one such request costs at most 2 + ceil(log2 n) deaths. A part of an
engine that dies while the rest goes on, such as a replica, counts alike, with the requests that it
had in flight.

Where nothing is answered any more the engine is to blame, not the requests. So before suspects
are split, and before one that died alone is written off, another request must have been answered
since: a probe. When too many in a row die alone it is the engine. Hence the bounds:

- No request that the engine can answer is ever written off, save the only one that there is.
- Two poison requests are found wherever they stand, if there is a third request; up to seven once
  a run has answered anything. More are found as long as a probe is: probes are taken from far
  apart, because poison requests often stand in a row.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

# So many lone deaths in a row, where nothing was ever answered, are the engine's fault, or that of
# the only request that there is.
LONE_DEATHS = 3
# So many in a row, where something was answered before, are the engine's fault.
MOST_LONE_DEATHS = 8


class Isolation:
    """Decides what runs next; requests are named by their positions in the plan."""

    def __init__(self) -> None:
        self._deaths: Counter[int] = Counter()
        self._groups: list[list[int]] = []
        self._group: list[int] | None = None
        self._lone_deaths: Counter[int] = Counter()
        self._probed = False
        self._ever_answered = False
        self.to_write_off: list[int] = []
        self.hopeless = False

    def next(self, pending: Sequence[int]) -> Sequence[int]:
        """The positions, out of those still pending, that run next by themselves; none if some are
        to be written off first."""
        self._group = None
        if self._lone_deaths or (self._groups and not self._probed):
            return self._probe_or_decide(pending)
        while self._groups:
            group = [one for one in self._groups.pop() if _holds(pending, one)]
            if group:
                self._group = group
                return group
        return pending

    @property
    def isolating(self) -> bool:
        """True while some requests run in chosen groups and others are left out."""
        return bool(self._groups or self._lone_deaths or self._group)

    def answered(self) -> None:
        """The engine has answered something: it works, so what died alone is to blame."""
        self._probed = self._ever_answered = True
        self._write_off()

    def died(self, in_flight: Sequence[int]) -> bool:
        """Take a death into account. True if this narrows down the cause."""
        group, self._group = self._group, None
        if group is None:
            self._deaths.update(in_flight)
            suspects = [position for position in in_flight if self._deaths[position] > 1]
            self._probed = self._probed and not suspects
            if len(in_flight) > 1 or not suspects:
                return self._split(suspects)
            group = suspects
        if len(group) > 1:
            return self._split(in_flight)
        return self._note_lone_death(group[0])

    def _note_lone_death(self, position: int) -> bool:
        """The request was alone when the engine died."""
        self._lone_deaths[position] += 1
        if self._probed or self._lone_deaths[position] >= LONE_DEATHS:
            self._write_off()
        most = MOST_LONE_DEATHS if self._ever_answered else LONE_DEATHS
        self.hopeless = self._lone_deaths.total() >= most
        return not self.hopeless

    def _split(self, suspects: Sequence[int]) -> bool:
        """Halve the suspects; the first half runs first."""
        half = (len(suspects) + 1) // 2
        parts = [list(suspects[half:]), list(suspects[:half])]
        self._groups += [part for part in parts if part]
        return bool(suspects)

    def _probe_or_decide(self, pending: Sequence[int]) -> Sequence[int]:
        """A probe; where there is none, the end of those that died alone, or another try of one."""
        probe = self._probe(pending)
        if probe is not None:
            self._group = [probe]
        elif self._ever_answered:
            self._write_off()
        else:
            self._group = list(self._lone_deaths)[:1]
        return self._group or ()

    def _probe(self, pending: Sequence[int]) -> int | None:
        """A request that has not died alone, as far as can be from those that have."""
        index = int(_spread(len(self._lone_deaths)) * (len(pending) - 1))
        near = (pending[index - step] for step in range(min(len(pending), MOST_LONE_DEATHS)))
        return next((position for position in near if position not in self._lone_deaths), None)

    def _write_off(self) -> None:
        self.to_write_off += self._lone_deaths
        self._lone_deaths.clear()
        self._probed = True


def _spread(number: int) -> float:
    """The number-th of a row of places that lie far apart: 1, 0, 1/2, 1/4, 3/4, 1/8, ..."""
    if number < 2:
        return 1.0 - number
    half = 1 << ((number - 1).bit_length() - 1)
    return (2 * (number - 1 - half) + 1) / (2 * half)


def _holds(pending: Sequence[int], position: int) -> bool:
    """True if the position is pending. The pending ones are in ascending order and may be
    millions."""
    index = bisect_left(pending, position)
    return index < len(pending) and pending[index] == position
