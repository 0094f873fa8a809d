"""The token ids of chats by a tokenizer other than the Rust one, which decides by itself what in a
chat is a control token."""

from collections.abc import Callable, Sequence
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines.control_tokens import Finder, is_control
from llmbatch.engines.vllm.contents_apart import Marks, MixedError, Shape, shape_of

EncodeChat = Callable[[Sequence[Message]], list[int]]


class SlowContentsApart:
    """Encodes chats with `encode`, and refuses those of which a content becomes a control token."""

    def __init__(self, tokenizer: Any, encode: EncodeChat) -> None:
        self._encode = encode
        controls = control_tokens(tokenizer)
        self._ids = frozenset(controls)
        self._finder = Finder(controls.values())
        self._marks = Marks()
        self._known: dict[Shape, list[int]] = {}

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a chat. Raises MixedError where a content would become control tokens."""
        ids = self._encode(messages)
        if self._finder.held_by(message.content for message in messages) is None:
            return ids
        # Some tokenizers, such as those of Mistral, encode every content as text.
        if list(filter(self._ids.__contains__, ids)) != self._expected(messages):
            raise MixedError(
                "the text holds control tokens of the model, which its tokenizer takes for its own"
            )
        return ids

    def _expected(self, messages: Sequence[Message]) -> list[int]:
        shape = shape_of(messages)
        if shape not in self._known:
            marked = self._encode(self._marks.put(messages))
            self._known[shape] = list(filter(self._ids.__contains__, marked))
        return self._known[shape]


def control_tokens(tokenizer: Any) -> dict[int, str]:
    """The control tokens of a tokenizer by their ids."""
    added = getattr(tokenizer, "added_tokens_decoder", None) or {}
    found = {
        number: str(token)
        for number, token in added.items()
        if is_control(str(token), special=bool(getattr(token, "special", False)))
    }
    texts = getattr(tokenizer, "all_special_tokens", None) or ()
    numbers = getattr(tokenizer, "all_special_ids", None) or ()
    found |= {number: str(text) for number, text in zip(numbers, texts, strict=False)}
    # What the tokenizer does not know becomes this token, in any text.
    unknown = getattr(tokenizer, "unk_token_id", None)
    return {number: text for number, text in found.items() if text.strip() and number != unknown}
