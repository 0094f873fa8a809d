"""Starts long requests early enough that a run does not end with one of them on an idle device."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from llmbatch.core.outcomes import Usage
from llmbatch.pipeline.run import early_starts
from llmbatch.pipeline.run.early_starts import Lengths
from llmbatch.store.plans import PlannedRequest

# Only the last requests can make a tail: what comes before fills the device in any order.
_SLOTS_OF_THE_END = 8
_LONGEST_END = 8192
# Prompt tokens for each character before a prompt of this run has told.
_TOKENS_PER_CHARACTER = 0.25


class Tail:
    """Learns how long answers are, and arranges the last requests of a pass.

    The caller's thread learns while the engine's thread asks: sums of numbers, of which a half
    updated one does no harm.
    """

    def __init__(self, longest: int) -> None:
        """`longest`: tokens that no answer exceeds."""
        self.slots = 0
        self._lengths = Lengths(longest)
        self._tokens = 0
        self._characters = 0

    def remember(self, prompt: int, output: int) -> None:
        """Learn from an answer of an earlier run."""
        self._lengths.saw(prompt, output)

    def learn(self, characters: int, usage: Usage) -> None:
        """Learn from an answer: the size of its messages, and its tokens."""
        self._lengths.saw(usage.prompt, usage.output)
        self._tokens += usage.prompt
        self._characters += characters

    @property
    def known(self) -> int:
        """How many answers the expectations come from."""
        return self._lengths.seen

    @property
    def end(self) -> int:
        """How many of the last requests may change places; 0 for an engine that does not say how
        many it answers at a time."""
        return min(_SLOTS_OF_THE_END * self.slots, _LONGEST_END)

    def ordered(
        self, requests: Iterable[PlannedRequest], in_flight: Callable[[], Sequence[int]]
    ) -> Iterator[PlannedRequest]:
        """The last requests of a pass, the longest early if that is worth it. `in_flight` gives
        the sizes of those that are under way."""
        waiting = deque(requests)
        look_at = early_starts.LEAST
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
        lengths = self._lengths.of([size * per_character for size in sizes])
        if lengths is None:
            return requests
        under_way = lengths[: len(ahead)]
        found = early_starts.arrange(
            lengths[len(ahead) :], texts, self.slots, per_character, under_way
        )
        return [requests[place] for place in found.order]

    def _tokens_per_character(self) -> float:
        return self._tokens / self._characters if self._characters else _TOKENS_PER_CHARACTER
