"""The end of a run: which requests are better started early.

An engine that answers `slots` requests at a time, one token of each in a step, needs as many steps
as list scheduling takes (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). A long
request that comes last runs alone on a device that could do hundreds, so the longest go first,
but only as many as pay: whoever is moved may compute again what its neighbours had in the cache.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import pairwise

# Prompt tokens that a device computes in the time of a step that only generates: bf16 FLOP/s over
# bytes/s of memory. About 184 on an H200 (790 TFLOP/s, 4.3 TB/s, measured); others are near.
TOKENS_PER_STEP = 184
# Fewer answers than this tell nothing of the lengths of others.
LEAST = 32
# Below this share of explained variance (r squared) the prompt's length tells nothing, either.
LEAST_EXPLAINED = 0.1


class Lengths:
    """Expected lengths of answers by those of their prompts, in tokens: least squares over what
    was seen."""

    def __init__(self, longest: int) -> None:
        """`longest`: no answer has more tokens."""
        self._longest = longest
        self.seen = 0
        self._x = self._y = self._xx = self._xy = self._yy = 0.0

    def saw(self, prompt: int, output: int) -> None:
        """Learn from an answer."""
        self.seen += 1
        self._x += prompt
        self._y += output
        self._xx += prompt * prompt
        self._xy += prompt * output
        self._yy += output * output

    def of(self, prompts: Sequence[float]) -> list[float] | None:
        """Expected answer lengths of these prompts; None while nothing can be told."""
        n = self.seen
        if n < LEAST:
            return None
        spread, varied = n * self._xx - self._x**2, n * self._yy - self._y**2
        together = n * self._xy - self._x * self._y
        if spread <= 0 or varied <= 0 or together**2 < LEAST_EXPLAINED * spread * varied:
            return None
        slope = together / spread
        start = (self._y - slope * self._x) / n
        return [min(max(start + slope * prompt, 1.0), self._longest) for prompt in prompts]


def steps(lengths: Sequence[float], slots: int) -> float:
    """How many steps requests of these lengths take, started in this order, `slots` at a time."""
    if len(lengths) <= slots:
        return max(lengths, default=0.0)
    ends = list(lengths[:slots])
    heapify(ends)
    for length in lengths[slots:]:
        heapreplace(ends, ends[0] + length)
    return max(ends)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """An order of requests (their present places), and what it is expected to take."""

    order: list[int]
    steps: float
    cost: float


def arrange(
    lengths: Sequence[float],
    texts: Sequence[str],
    slots: int,
    tokens_per_character: float,
    under_way: Sequence[float] = (),
) -> Arrangement:
    """The order with the least cost: as it is, or with the longest ones first.

    `lengths`: expected answers, in tokens; `texts`: the prompts; `under_way`: expected answers of
    the requests that the engine has already.

    Costs are steps, plus the time of the prompt tokens that do not stand at the beginning of the
    request before. Of the orders with the 1, 2, 4, ... longest first the cheapest is taken; those
    moved keep their order among themselves, so that they share what they can.
    Work: O(n log n) for each of log n orders.
    """
    longest = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    counts = [0] + [1 << power for power in range(int(math.log2(max(1, len(lengths)))) + 1)]
    found = []
    for count in counts:
        moved = set(longest[:count])
        order = sorted(moved) + [place for place in range(len(lengths)) if place not in moved]
        needed = steps([*under_way, *(lengths[place] for place in order)], slots)
        prefill = _new_characters(order, texts) * tokens_per_character / TOKENS_PER_STEP
        found.append(Arrangement(order, needed, needed + prefill))
    return min(found, key=lambda arrangement: arrangement.cost)


def _new_characters(order: Sequence[int], texts: Sequence[str]) -> int:
    """Characters that do not repeat the beginning of the text before."""
    return sum(
        len(texts[place]) - shared(texts[before], texts[place]) for before, place in pairwise(order)
    )


def shared(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
