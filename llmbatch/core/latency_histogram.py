"""The times that requests were in flight, counted in bins that are even on a logarithmic scale.

Counts of bins add up over checkpoints, engines and runs, and stay small however many requests
there are; a quantile read from them is off by at most a bin's width (10 ** 0.1, about 26 %).
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

EDGES = tuple(10 ** (n / 10) for n in range(-30, 61))
"""Seconds from a millisecond to 10**6 (eleven days), ten bins for each power of ten.

There is one count more than edges: `counts[0]` is of requests below `EDGES[0]`,
`counts[n]` of those from `EDGES[n - 1]` to below `EDGES[n]`, the last of those from `EDGES[-1]`.
"""


def empty() -> list[int]:
    """The counts of no requests."""
    return [0] * (len(EDGES) + 1)


def bin_of(seconds: float) -> int:
    """The index in counts of a request that was so many seconds in flight."""
    return bisect_right(EDGES, seconds)


def bounds(index: int) -> tuple[float, float]:
    """The bounds of a bin in seconds; its requests took less than the upper one."""
    low = EDGES[index - 1] if index else 0.0
    high = EDGES[index] if index < len(EDGES) else float("inf")
    return low, high


def merged(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The counts of both; an empty sequence counts as no requests."""
    return [a + b for a, b in zip(first or empty(), second or empty(), strict=True)]


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Seconds that `share` (0..1) of the requests took at most; None where there are none.

    Within its bin a request is taken to lie evenly on the logarithmic scale.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    for index, below in enumerate(accumulate(counts)):
        if counts[index] and below >= wanted:
            low, high = bounds(index)
            within = 1 - (below - wanted) / counts[index]
            return _between(low, high, within)
    return EDGES[-1]


def _between(low: float, high: float, share: float) -> float:
    if low <= 0:
        return high * share
    return low if high == float("inf") else low * (high / low) ** share
