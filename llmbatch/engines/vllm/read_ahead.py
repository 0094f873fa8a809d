"""The token ids of prompts that were encoded before the engine has started, until they are sent.

A run's forecast encodes thousands of prompts while the engine loads, which are then the first that
it gets; encoding them once more would be half of what this side of the engine costs.
"""

from array import array
from collections.abc import Callable, Sequence

from llmbatch.core.records import Message

MOST = 1 << 20
"""Token ids that are kept, of four bytes each."""
COMPARED = 8
"""Of so many prompts the ids are compared with those by the started engine's own tokenizer."""

Encode = Callable[[Sequence[Message]], list[int]]


class ReadAhead:
    """Prompts may be added by one thread while another one takes them."""

    def __init__(self, most: int = MOST) -> None:
        """`most`: token ids that are kept."""
        self._room = most
        self._kept: dict[tuple[Message, ...], array[int]] = {}
        self._compared = 0

    def add(self, messages: Sequence[Message], ids: Sequence[int]) -> None:
        """Keep the ids of a prompt, as far as there is room."""
        if len(ids) <= self._room:
            self._room -= len(ids)
            self._kept[tuple(messages)] = array("I", ids)

    def take(self, messages: Sequence[Message], encode: Encode) -> list[int]:
        """The ids of a prompt, which are then kept no longer; by `encode` where they are not
        known. Nothing is kept any more once it has given others than those that were added. Raises
        as it does."""
        kept = self._kept.pop(tuple(messages), None)
        if kept is None:
            return encode(messages)
        if self._compared >= COMPARED:
            return kept.tolist()
        self._compared += 1
        ids = encode(messages)
        if ids != kept.tolist():
            self._room = 0
            self._kept.clear()
        return ids
