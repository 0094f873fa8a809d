"""Long requests started early enough that a run does not end with one of them on an idle device.

An engine that answers `slots` requests at a time, one token of each in a step, needs as many steps
as list scheduling takes (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). A long
request that comes last runs alone on a device that could do hundreds, so the longest go first,
but only as many as pay: one that is moved may compute again what its neighbours had in the cache.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import pairwise

from llmbatch.core.outcomes import Usage
from llmbatch.core.prefixes import count_shared
from llmbatch.store.plans import PlannedRequest

# Only the last requests can make a tail: what comes before fills the device in any order.
_SLOTS_OF_THE_END = 8
_LONGEST_END = 8192
# Prompt tokens for each character before any prompt of this run was answered.
_TOKENS_PER_CHARACTER = 0.25
# Prompt tokens that a device computes in the time of a step that only generates: bf16 FLOP/s over
# bytes/s of memory. About 184 on an H200 (790 TFLOP/s, 4.3 TB/s, measured); others are near.
TOKENS_PER_STEP = 184
# Fewer answers than this say nothing of the lengths of others.
LEAST = 32
# Below this share of explained variance (r squared) the prompt's length says nothing, either.
LEAST_EXPLAINED = 0.1


class Stragglers:
    """Learns the lengths of answers, and arranges the last requests of a round.

    The caller's thread learns while the engine's thread asks.
    """

    def __init__(self, longest: int) -> None:
        """`longest`: tokens that no answer exceeds."""
        self.slots = 0
        self._lengths = AnswerLengths(longest)
        self._tokens = 0
        self._characters = 0

    def remember(self, prompt: int, output: int) -> None:
        """Learn from an answer of an earlier run."""
        self._lengths.learn(prompt, output)

    def learn(self, characters: int, usage: Usage) -> None:
        """Learn from an answer: the size of its messages, and its tokens."""
        self._lengths.learn(usage.prompt, usage.output)
        self._tokens += usage.prompt
        self._characters += characters

    @property
    def known(self) -> int:
        """The number of answers that the expectations come from."""
        return self._lengths.seen

    @property
    def end(self) -> int:
        """The number of last requests that may change places; 0 for an engine that does not say
        how many it answers at a time."""
        return min(_SLOTS_OF_THE_END * self.slots, _LONGEST_END)

    def ordered(
        self, requests: Iterable[PlannedRequest], in_flight: Callable[[], Sequence[int]]
    ) -> Iterator[PlannedRequest]:
        """The last requests of a round, the longest early if that is worth it. `in_flight` gives
        the sizes (characters) of those that are under way."""
        waiting = deque(requests)
        look_at = LEAST
        while waiting:
            if self.slots and self.known >= look_at:
                # Again when twice as much is known.
                look_at = 2 * self.known
                waiting = deque(self._arranged(list(waiting), in_flight()))
            yield waiting.popleft()

    def _arranged(
        self, requests: list[PlannedRequest], ahead: Sequence[int]
    ) -> list[PlannedRequest]:
        per_character = self._tokens_per_character()
        texts = [request.messages for request in requests]
        sizes = [*ahead, *map(len, texts)]
        lengths = self._lengths.expect([size * per_character for size in sizes])
        if lengths is None:
            return requests
        under_way = lengths[: len(ahead)]
        best = arrange(lengths[len(ahead) :], texts, self.slots, per_character, under_way)
        return [requests[index] for index in best.order]

    def _tokens_per_character(self) -> float:
        return self._tokens / self._characters if self._characters else _TOKENS_PER_CHARACTER


class AnswerLengths:
    """Expected lengths of answers by those of their prompts, in tokens: least squares over all
    that were seen, by sums of whole numbers, which are exact and take the same room and time for
    any number of answers."""

    def __init__(self, longest: int) -> None:
        """`longest`: no answer has more tokens."""
        self._longest = longest
        # Of n pairs (x, y): n, x, y, x * x, x * y, y * y. Replaced as a whole, because another
        # thread reads them.
        self._sums = (0, 0, 0, 0, 0, 0)

    @property
    def seen(self) -> int:
        return self._sums[0]

    def learn(self, prompt: int, output: int) -> None:
        """Learn from an answer."""
        n, x, y, xx, xy, yy = self._sums
        self._sums = (
            n + 1,
            x + prompt,
            y + output,
            xx + prompt * prompt,
            xy + prompt * output,
            yy + output * output,
        )

    def expect(self, prompts: Sequence[float]) -> list[float] | None:
        """Expected answer lengths of these prompts; None while prompts say nothing of them."""
        n, x, y, xx, xy, yy = self._sums
        if n < LEAST:
            return None
        in_prompts, in_outputs, both = n * xx - x * x, n * yy - y * y, n * xy - x * y
        varies = in_prompts and in_outputs
        if not varies or both * both < LEAST_EXPLAINED * in_prompts * in_outputs:
            return None
        slope = both / in_prompts
        start = (y - slope * x) / n
        return [min(max(start + slope * prompt, 1.0), self._longest) for prompt in prompts]


def count_steps(lengths: Sequence[float], slots: int) -> float:
    """Steps that requests of these lengths take, started in this order, `slots` at a time."""
    if len(lengths) <= slots:
        return max(lengths, default=0.0)
    ends = list(lengths[:slots])
    heapify(ends)
    for length in lengths[slots:]:
        heapreplace(ends, ends[0] + length)
    return max(ends)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """An order of requests, by their present indexes; its steps, and its cost in steps."""

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
    longest = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    counts = [0] + [1 << power for power in range(int(math.log2(max(1, len(lengths)))) + 1)]
    tried = []
    for count in counts:
        moved = set(longest[:count])
        order = sorted(moved) + [index for index in range(len(lengths)) if index not in moved]
        needed = count_steps([*under_way, *(lengths[index] for index in order)], slots)
        prefill = _new_characters(order, texts) * tokens_per_character / TOKENS_PER_STEP
        tried.append(Arrangement(order, needed, needed + prefill))
    return min(tried, key=lambda arrangement: arrangement.cost)


def _new_characters(order: Sequence[int], texts: Sequence[str]) -> int:
    """Characters that do not repeat the beginning of the text before."""
    return sum(
        len(texts[index]) - count_shared(texts[before], texts[index])
        for before, index in pairwise(order)
    )
