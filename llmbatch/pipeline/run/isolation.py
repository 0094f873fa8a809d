"""Which requests may run together after the engine has died.

Requests in flight at two deaths are suspects. They run in ever smaller company, half of them at
a time (group testing by binary splitting; D.-Z. Du and F. K. Hwang, Combinatorial Group Testing
and Its Applications, 2000, ch. 2), until the one that kills the engine is alone with it. With n
in flight one such request costs at most 2 + ceil(log2 n) deaths.

Where nothing is answered any more the engine is to blame, not the requests. So before suspects
are split, and before one that died alone is convicted, another request must have been answered
since: a witness. When too many in a row die alone it is the engine. Hence the bounds:

- No request that the engine can answer is ever convicted, save the only one that there is.
- Two requests that kill the engine are found wherever they stand, if there is a third; up to
  seven once a run has answered anything. More are found as long as a witness is: witnesses are
  taken from far apart, because what kills an engine often stands in a row.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

# So many lone deaths in a row, where nothing was ever answered, are the engine's fault, or that of
# the only request that there is.
LONE_DEATHS = 3
# So many in a row, where something was answered before, are the engine's fault.
MOST_ACCUSED = 8


class Isolation:
    """Decides what runs next; requests are named by their positions in the plan."""

    def __init__(self) -> None:
        self._deaths: Counter[int] = Counter()
        self._groups: list[list[int]] = []
        self._company: list[int] | None = None
        self._accused: Counter[int] = Counter()
        self._witnessed = False
        self._ever_answered = False
        self.convicted: list[int] = []
        self.hopeless = False

    def next(self, pending: Sequence[int]) -> Sequence[int]:
        """The positions, out of those still pending, that run next by themselves; none if those
        that were pending have just been convicted."""
        self._company = None
        if self._accused or (self._groups and not self._witnessed):
            return self._trial(pending)
        while self._groups:
            left = [one for one in self._groups.pop() if _holds(pending, one)]
            if left:
                self._company = left
                return left
        return pending

    @property
    def isolating(self) -> bool:
        """Whether some are run in chosen company, so that others are left out."""
        return bool(self._groups or self._accused or self._company)

    def answered(self) -> None:
        """The engine has answered something: it works, so who stands accused is guilty."""
        self._witnessed = self._ever_answered = True
        self._convict()

    def died(self, in_flight: Sequence[int]) -> bool:
        """Take a death into account. True if it has brought us nearer to its cause."""
        company, self._company = self._company, None
        if company is None:
            self._deaths.update(in_flight)
            suspects = [position for position in in_flight if self._deaths[position] > 1]
            self._witnessed = self._witnessed and not suspects
            if len(in_flight) > 1 or not suspects:
                return self._split(suspects)
            company = suspects
        if len(company) > 1:
            return self._split(in_flight)
        return self._accuse(company[0])

    def _accuse(self, position: int) -> bool:
        """It was alone when the engine died."""
        self._accused[position] += 1
        if self._witnessed or self._accused[position] >= LONE_DEATHS:
            self._convict()
        most = MOST_ACCUSED if self._ever_answered else LONE_DEATHS
        self.hopeless = self._accused.total() >= most
        return not self.hopeless

    def _split(self, suspects: Sequence[int]) -> bool:
        """Halve the suspects; the first half runs first."""
        half = (len(suspects) + 1) // 2
        parts = [list(suspects[half:]), list(suspects[:half])]
        self._groups += [part for part in parts if part]
        return bool(suspects)

    def _trial(self, pending: Sequence[int]) -> Sequence[int]:
        """A witness; where there is none, the verdict or another try."""
        witness = self._witness(pending)
        if witness is not None:
            self._company = [witness]
        elif self._ever_answered:
            self._convict()
        else:
            self._company = list(self._accused)[:1]
        return self._company or ()

    def _witness(self, pending: Sequence[int]) -> int | None:
        """One that is not accused, as far from those that are as can be."""
        place = int(_spread(len(self._accused)) * (len(pending) - 1))
        near = (pending[place - step] for step in range(min(len(pending), MOST_ACCUSED)))
        return next((position for position in near if position not in self._accused), None)

    def _convict(self) -> None:
        self.convicted += self._accused
        self._accused.clear()
        self._witnessed = True


def _spread(number: int) -> float:
    """The number-th of a row of places that lie far apart: 1, 0, 1/2, 1/4, 3/4, 1/8, ..."""
    if number < 2:
        return 1.0 - number
    half = 1 << ((number - 1).bit_length() - 1)
    return (2 * (number - 1 - half) + 1) / (2 * half)


def _holds(pending: Sequence[int], position: int) -> bool:
    """Whether it is among the pending ones, which are in ascending order and may be millions."""
    place = bisect_left(pending, position)
    return place < len(pending) and pending[place] == position
