"""The prompts that wait in the engine: as many as keep its queue from running empty, and not many
more, because each lies in memory until its answer begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from llmbatch.core.prefixes import count_shared

WAITING_STEPS = 4
"""So many steps' worth of tokens to compute may wait in any case."""
MOST = 1 << 22
"""Of prompts that are nearly all cached so many tokens wait at most: about 200 MB in the engine."""


@dataclass(frozen=True, slots=True)
class Room:
    """The bounds for what waits. `tokens`: prompts of so many tokens may wait; beyond that, up to
    `MOST`, only while less than `new` of them has to be computed. `block`: tokens of a block of the
    prefix cache; 0 where there is none, and each token of a prompt is new.
    """

    tokens: int
    new: int
    block: int = 0

    @classmethod
    def of(cls, described: Any) -> Self:
        """The room of an engine with these settings (see `start.description`)."""
        new = WAITING_STEPS * described["max_num_batched_tokens"]
        block = described["block_size"] if described["prefix_caching"] else 0
        return cls(max(described["kv_cache_tokens"], new), new, block or 0)


class Waiting:
    """Counts the prompts that were sent and whose answers have not begun.

    The tokens that a prompt shares with the one sent before it count as cached, by whole blocks and
    never all of them, which is how the forecast of the cache sees neighbours
    (`estimate/prefix_cache`): in the planned order what is shared is shared with neighbours, and
    the one before is scheduled first. Where the cache serves less, fewer steps' worth waits.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._open: dict[str, tuple[int, int]] = {}  # of each prompt: tokens, and the new of them
        self._tokens = self._new = 0
        self._last: Sequence[int] = ()
        self._last_adapter: str | None = None

    def has_room(self) -> bool:
        """True if another prompt may be sent."""
        room = self._room
        return self._tokens < room.tokens or (self._new < room.new and self._tokens < MOST)

    def add(self, number: str, tokens: Sequence[int], adapter: str | None = None) -> None:
        """Note a prompt as sent, for this adapter's answer."""
        length = len(tokens)
        new = length - self._cached(tokens, adapter)
        self._last, self._last_adapter = tokens, adapter
        self._open[number] = length, new
        self._tokens += length
        self._new += new

    def _cached(self, tokens: Sequence[int], adapter: str | None) -> int:
        block = self._room.block
        if not block or adapter != self._last_adapter:
            return 0
        most = (len(tokens) - 1) // block * block
        return min(count_shared(self._last, tokens) // block * block, most)

    def take(self, number: str) -> None:
        """Note that an answer has begun, or that nothing more is wanted of its prompt."""
        tokens, new = self._open.pop(number, (0, 0))
        self._tokens -= tokens
        self._new -= new
