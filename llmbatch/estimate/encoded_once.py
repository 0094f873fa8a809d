"""The token ids of chats that a plan asks for several times: in two orders, and for lengths."""

from array import array
from collections.abc import Sequence

from llmbatch.core.records import Message
from llmbatch.estimate.cache_forecast import Encode

_MOST = 4_000_000
"""Token ids that are kept, of four bytes each."""


class EncodedOnce:
    """An `Encode` that keeps what it has encoded, as far as that has room."""

    def __init__(self, encode: Encode, most: int = _MOST) -> None:
        """`most`: token ids that are kept."""
        self._encode = encode
        self._room = most
        self._kept: dict[tuple[Message, ...], array[int]] = {}

    def __call__(self, messages: Sequence[Message]) -> Sequence[int] | None:
        """The ids of a chat. Raises as the `Encode` does."""
        chat = tuple(messages)
        found = self._kept.get(chat)
        if found is not None:
            return found
        ids = self._encode(messages)
        if ids is not None and len(ids) <= self._room:
            self._room -= len(ids)
            self._kept[chat] = array("I", ids)
        return ids
