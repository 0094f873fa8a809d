"""The own tokens of labels: what the tokenizer makes of each as the answer to a chat."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines import label_tree
from llmbatch.engines.control_tokens import Finder, is_control
from llmbatch.engines.label_tree import LabelTree
from llmbatch.engines.vllm import slow_contents
from llmbatch.engines.vllm.contents_apart import Marks, Render

_KEPT = 1024
"""Trees and ends that are kept: the prompts of a job end alike, unless each row begins its answer
itself."""


class LabelTokens:
    """Makes the trees of labels for the chats that come.

    A label is encoded together with the end of the prompt: the chat template's own text after the
    last message, and the beginning of the answer, if it is given. Where the tokenizer joins that
    with the label, and for a prompt without a template, the label is encoded by itself.
    """

    def __init__(self, tokenizer: Any, fast: Any, render: Render | None) -> None:
        """`tokenizer`: the model's; `fast`: the Rust one in it, None if it has none; `render`: the
        text of a chat, None where there is no chat template."""
        self._tokenizer = tokenizer
        self._fast = fast
        self._render = render
        self._marks = Marks()
        self._tails: dict[tuple[str, ...], str] = {}
        self._ends: dict[tuple[str, ...], int | None] = {}
        self._trees: dict[tuple[str, int | None, tuple[str, ...], bool], LabelTree] = {}

    def tree(
        self, messages: Sequence[Message], labels: tuple[str, ...], *, whole: bool
    ) -> LabelTree:
        """The tree of the labels after this chat; `whole`: of all of their tokens. Raises
        ValueError for labels that hold a control token or cannot be told apart."""
        tail, end = self._tail(messages), self._end(messages)
        made = self._trees.get(key := (tail, end, labels, whole))
        if made is None:
            if len(self._trees) >= _KEPT:
                self._trees.clear()
            made = self._trees[key] = self._make(tail, end, labels, whole)
        return made

    def _make(self, tail: str, end: int | None, labels: tuple[str, ...], whole: bool) -> LabelTree:
        if end is None:
            raise ValueError("the model has no token that ends an answer")
        held = Finder(self._controls.values()).held_by(labels)
        if held is not None:
            raise ValueError(f"a label holds the control token {held} of the model")
        tokens = [self._own(tail, label) for label in labels]
        return label_tree.make(labels, tokens, end, cut=not whole)

    def _own(self, tail: str, label: str) -> list[int]:
        before, together = self._encode(tail), self._encode(tail + label)
        if together[: len(before)] == before:
            return together[len(before) :]
        return self._encode(label)

    def _encode(self, text: str) -> list[int]:
        encode = self._tokenizer if self._fast is None else self._fast
        found = encode.encode(text, add_special_tokens=False)
        return list(getattr(found, "ids", found))

    @cached_property
    def _controls(self) -> dict[int, str]:
        return _control_tokens(self._tokenizer, self._fast)

    def _tail(self, messages: Sequence[Message]) -> str:
        """The end of the prompt, after the text of its last message."""
        last = messages[-1]
        if self._render is None or last.role == "text":
            return ""
        begun = last.content if last.role == "prefill" else ""
        chat = messages[:-1] if last.role == "prefill" else messages
        roles = tuple(message.role for message in chat)
        if roles not in self._tails:
            self._tails[roles] = self._own_pieces(chat)[-1]
        return self._tails[roles] + begun

    def _own_pieces(self, chat: Sequence[Message]) -> list[str]:
        """The template's own pieces of a chat; one empty text if it takes no marks for contents."""
        assert self._render is not None
        try:
            return self._marks.own_pieces(self._render(self._marks.put(_filled(chat))))
        except Exception:  # a template may look for something in a content
            return [""]

    def _end(self, messages: Sequence[Message]) -> int | None:
        """The token that ends an answer: the first one that the template writes after one, if that
        is a special one; else the tokenizer's own."""
        chat = [message for message in messages if message.role not in ("text", "prefill")]
        roles = tuple(message.role for message in chat)
        if roles not in self._ends:
            own: int | None = getattr(self._tokenizer, "eos_token_id", None)
            following: list[int] = []
            if chat and self._render is not None:
                pieces = self._own_pieces([*chat, Message("assistant", "")])
                following = self._encode(pieces[-1])[:1]
            ends = bool(following) and following[0] in self._controls
            self._ends[roles] = following[0] if ends else own
        return self._ends[roles]


def _filled(chat: Sequence[Message]) -> list[Message]:
    """The chat with a text in each message, so that each gets a mark."""
    return [Message(message.role, "x") for message in chat]


def _control_tokens(tokenizer: Any, fast: Any) -> dict[int, str]:
    """The control tokens of a tokenizer by their ids."""
    if fast is None:
        return slow_contents.control_tokens(tokenizer)
    return {
        number: token.content
        for number, token in fast.get_added_tokens_decoder().items()
        if is_control(token.content, special=token.special)
    }
