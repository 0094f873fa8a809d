"""Texts and pairs of texts to token ids, without a chat template, and cut where they are too long.

A text is cut by the tokenizer, before its special tokens are put around it: vLLM would cut those
off with the rest.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llmbatch.engines.control_tokens import is_control
from llmbatch.engines.vllm.contents_apart import MixedError, renamed_copy

_UNKNOWN = "\U0010fffd"  # a character that stands for nothing, and so is in no vocabulary


@dataclass(frozen=True, slots=True)
class TokenText:
    """`ids` with special tokens; `second`: where the second text of a pair begins for the model
    (None: it does not tell them apart); `own`: how many of them are the text's own."""

    ids: list[int]
    second: int | None = None
    own: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """A text as one or several prompts. `left_out`: tokens of the text that are in none of them."""

    parts: list[TokenText] = field(default_factory=list)
    left_out: int = 0


class NoRoomError(ValueError):
    """A text of which nothing can be kept: what has to stand beside it takes all the room."""


class TextTokens:
    """Encodes texts with a tokenizer (the Rust one). No text becomes a control token."""

    def __init__(self, backend: Any, *, side: str = "right", has_types: bool = True) -> None:
        """`side`: the end at which a text is cut, as the tokenizer's settings have it; `has_types`:
        its model tells the two texts of a pair apart by the types of their tokens."""
        self._backend = backend
        self._has_types = has_types
        self._side = side
        self._controls = {
            number: token.content
            for number, token in backend.get_added_tokens_decoder().items()
            if is_control(token.content, special=token.special)
        }
        # What the tokenizer does not know may become such a token, in any text.
        self._ids = frozenset(self._controls) - _unknown(backend)

    @property
    def separates(self) -> bool:
        """True if a pair has more special tokens than a text: one stands between its two texts."""
        added = self._backend.num_special_tokens_to_add
        return bool(added(True) > added(False))

    @cached_property
    def _renamed(self) -> Any:
        names = {text: secrets.token_hex(16) for text in self._controls.values()}
        return renamed_copy(self._backend, names)

    def one(self, text: str, prefix: str = "") -> TokenText:
        """A text after a prefix. Raises ValueError for one that cannot be encoded."""
        return self._whole(self._content(prefix + text))

    def cut(self, text: str, prefix: str, limit: int, *, split: bool) -> Cut:
        """A text in prompts of at most `limit` tokens: all of it with `split`, where each part is
        after the prefix, else one. Raises NoRoomError where no part of it has room."""
        content = self._content(prefix + text)
        most = limit - self._backend.num_special_tokens_to_add(False)
        if len(content) <= most:
            return Cut([self._whole(content)])
        lead = self._content(prefix) if prefix and (split or self._side == "left") else None
        room = most - (len(lead) if lead else 0)
        if room < 1:
            raise NoRoomError(f"no token of the text has room in {limit} tokens")
        if lead is not None:
            content = self._content(text)
        length = len(content)
        content.truncate(room, direction="right" if split else self._side)
        pieces = [content, *content.overflowing] if split else [content]
        parts = [self._whole(_joined(lead, piece), own=len(piece)) for piece in pieces]
        return Cut(parts, 0 if split else length - len(content))

    def pair(self, first: str, second: str, limit: int | None = None) -> Cut:
        """Two texts in one prompt, the second one cut where they have no room in `limit` tokens.
        Raises NoRoomError where the first one leaves none."""
        one, two = self._content(first), self._content(second)
        length, left_out = len(two), 0
        if limit is not None:
            room = limit - self._backend.num_special_tokens_to_add(True) - len(one)
            if room < 1:
                raise NoRoomError(f"the first text leaves no room for the second in {limit} tokens")
            if length > room:
                two.truncate(room, direction="right")
                left_out = length - room
        made = self._backend.post_process(one, two, True)
        begins = _second(made.type_ids) if self._has_types else None
        return Cut([TokenText(made.ids, begins, len(one) + len(two))], left_out)

    def _content(self, text: str) -> Any:
        """A text without special tokens, as the tokenizer's own encoding."""
        if not text.isascii():
            text.encode()  # the tokenizer would call half a character an argument of a wrong type
        encoding = _encoded(self._backend, text)
        if self._ids.isdisjoint(encoding.ids):
            return encoding
        apart = _encoded(self._renamed, text)
        if not self._ids.isdisjoint(apart.ids):
            raise MixedError("the text would become control tokens of the model")
        return apart

    def _whole(self, content: Any, own: int | None = None) -> TokenText:
        own = len(content) if own is None else own
        return TokenText(self._backend.post_process(content, None, True).ids, None, own)


def _encoded(backend: Any, text: str) -> Any:
    return backend.encode_batch_fast([text], add_special_tokens=False)[0]


def _unknown(backend: Any) -> set[int]:
    """The tokens of what the tokenizer does not know."""
    named = getattr(backend.model, "unk_token", None)
    number = backend.token_to_id(named) if named else None
    found = set(_encoded(backend, _UNKNOWN).ids)
    return found if number is None else found | {number}


def _joined(lead: Any, content: Any) -> Any:
    if lead is None:
        return content
    from tokenizers import Encoding

    return Encoding.merge([lead, content])


def _second(types: Sequence[int]) -> int | None:
    """The place of the first 1 among the types of tokens; None where there is none."""
    return types.index(1) if 1 in types else None
