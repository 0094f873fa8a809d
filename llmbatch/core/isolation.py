"""Which requests may run together after the engine has died.

Requests in flight at two deaths are suspects. They run in ever smaller company, half of them at
a time (group testing by binary splitting; D.-Z. Du and F. K. Hwang, Combinatorial Group Testing
and Its Applications, 2000, ch. 2), until the one that kills the engine is alone with it. With n
in flight one such request costs 2 + ceil(log2 n) deaths.

A request that died alone is convicted only once the engine has answered another one after it:
where nothing is answered any more the engine is to blame, not the requests.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

# The only request that there is has no witness; so often may the engine die on it.
LONE_DEATHS = 3
# So many requests in a row kill the engine, each alone: then it is the engine.
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
        if self._accused:
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
            return self._split(suspects)
        if len(company) > 1:
            return self._split(in_flight)
        self._accused.update(company)
        if self._witnessed or self._accused[company[0]] >= LONE_DEATHS:
            self._convict()
        self.hopeless = len(self._accused) >= (MOST_ACCUSED if self._ever_answered else 2)
        return not self.hopeless

    def _split(self, suspects: Sequence[int]) -> bool:
        """Halve the suspects; the first half runs first."""
        half = (len(suspects) + 1) // 2
        parts = [list(suspects[half:]), list(suspects[:half])]
        self._groups += [part for part in parts if part]
        return bool(suspects)

    def _trial(self, pending: Sequence[int]) -> Sequence[int]:
        """A witness: best one that was never in flight at a death."""
        others = (position for position in pending if position not in self._accused)
        witness = min(others, key=lambda one: self._deaths[one], default=None)
        if witness is not None:
            self._company = [witness]
        elif self._ever_answered:
            self._convict()
        else:
            self._company = list(self._accused)[:1]
        return self._company or ()

    def _convict(self) -> None:
        self.convicted += self._accused
        self._accused.clear()
        self._witnessed = True


def _holds(pending: Sequence[int], position: int) -> bool:
    """Whether it is among the pending ones, which are in ascending order and may be millions."""
    place = bisect_left(pending, position)
    return place < len(pending) and pending[place] == position
