"""The token ids of a chat whose contents hold the texts of control tokens, which stay texts.

The chat is rendered a second time with a mark in place of each content, which shows what of the
text is the template's own. Then a second tokenizer encodes all of it: a copy of the model's in
which the control tokens have names that nothing can contain. The template's own control tokens are
written by these names, and the contents are left as they are. A token of the one has the id of its
token in the other, and everything else, such as spaces that a token takes in, is as before.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines.control_tokens import Finder, is_control
from llmbatch.engines.vllm.known_pieces import KnownPieces

# A character that stands for nothing, and so is in no vocabulary but as bytes.
_UNKNOWN = "\U0010fffd"

Render = Callable[[Sequence[Message]], str]


class MixedError(ValueError):
    """The contents of a chat cannot be told from its template's text."""


class ContentsApart:
    """Encodes the chats of one tokenizer (the Rust one) so that no content becomes a control token.

    `render` gives a chat as text; `add_special_tokens`: the tokenizer adds what a template would,
    as it always does for a text without a chat.
    """

    def __init__(self, backend: Any, render: Render, *, add_special_tokens: bool) -> None:
        self._backend = backend
        self._render = render
        self._added = add_special_tokens
        controls = {
            number: token.content
            for number, token in backend.get_added_tokens_decoder().items()
            if is_control(token.content, special=token.special)
        }
        self.finder = Finder(controls.values())
        # What the tokenizer does not know may become such a token, in any text.
        self._ids = frozenset(controls) - set(_ids(backend, _UNKNOWN, add_special_tokens=False))
        self._names = {text: secrets.token_hex(16) for text in controls.values()}
        self._copy: Any = None
        self._marks = Marks()
        self._known: dict[Shape, list[int] | None] = {}
        self._odd: dict[tuple[str, ...], bool] = {}
        self._normalized = _is_found_in_normalized_text(backend)
        self._pieces = KnownPieces.of(backend)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a chat. Raises MixedError where contents that hold control tokens cannot be
        told from the template."""
        text = self._render(messages)
        if self._holds(messages):
            return self._encode_apart(messages, text)
        ids = self._whole(text, add_special_tokens=self._adds(messages))
        if not (self._may_be_odd(messages) and self._is_odd(messages, ids)):
            return ids
        # A content makes a token together with the template's text, or once it is normalized; or
        # the template itself writes other tokens for this content.
        try:
            return self._encode_apart(messages, text)
        except MixedError:
            if self._holds_in_disguise(messages):
                raise
            return ids

    def _whole(self, text: str, *, add_special_tokens: bool) -> list[int]:
        known = None if add_special_tokens or self._pieces is None else self._pieces.ids(text)
        if known is not None:
            return known
        return _ids(self._backend, text, add_special_tokens=add_special_tokens)

    def _adds(self, messages: Sequence[Message]) -> bool:
        return self._added or messages[0].role == "text"

    def _holds(self, messages: Sequence[Message]) -> bool:
        """True if a content holds the text of a control token."""
        return self.finder.held_by(message.content for message in messages) is not None

    def _may_be_odd(self, messages: Sequence[Message]) -> bool:
        """True if a chat with these roles may have control tokens that no content holds."""
        roles = tuple([message.role for message in messages])
        known = self._odd.get(roles)
        if known is None:
            known = self._odd[roles] = self._normalized or self._can_complete(messages)
        return known

    def _can_complete(self, messages: Sequence[Message]) -> bool:
        """True if the template begins a control token before a content, or ends one after it."""
        try:
            marked = self._render(self._marks.put([Message(each.role, "x") for each in messages]))
        except Exception:  # a template may look for something in a content
            return False
        own = self._marks.own_pieces(marked)
        return any(
            any(piece.endswith(text[:size]) for piece in own[:-1])
            or any(piece.startswith(text[size:]) for piece in own[1:])
            for text in self._names
            for size in range(1, len(text))
        )

    def _is_odd(self, messages: Sequence[Message], ids: list[int]) -> bool:
        """True if the `ids` of a chat have other control tokens than those of its template."""
        expected = self._expected(messages)
        return expected is not None and list(filter(self._ids.__contains__, ids)) != expected

    def _holds_in_disguise(self, messages: Sequence[Message]) -> bool:
        """True if a content holds a control token once the tokenizer has normalized it."""
        normalizer = self._backend.normalizer
        if normalizer is None:
            return False
        texts = (normalizer.normalize_str(message.content) for message in messages)
        return self.finder.held_by(texts) is not None

    def _encode_apart(self, messages: Sequence[Message], text: str) -> list[int]:
        """The ids of a chat that was rendered to `text`. Raises MixedError where its contents
        cannot be told from its template, or where one would become a control token nevertheless."""
        own, contents = self._marks.pieces(messages, self._render(self._marks.put(messages)), text)
        pattern = self.finder.pattern
        if pattern is not None:
            own = [pattern.sub(lambda found: self._names[found[0]], piece) for piece in own]
        mixed = own[0] + "".join(a + b for a, b in zip(contents, own[1:], strict=True))
        ids = _ids(self._renamed(), mixed, add_special_tokens=self._adds(messages))
        if list(filter(self._ids.__contains__, ids)) != self._expected(messages):
            raise MixedError("the text would become control tokens of the model")
        return ids

    def _expected(self, messages: Sequence[Message]) -> list[int] | None:
        """The control tokens that the template gives to a chat with such roles; None where it takes
        no marks for contents."""
        shape = shape_of(messages)
        if shape not in self._known:
            self._known[shape] = self._tokens_of_marks(messages)
        return self._known[shape]

    def _tokens_of_marks(self, messages: Sequence[Message]) -> list[int] | None:
        try:
            marked = self._render(self._marks.put(messages))
        except Exception:  # a template may look for something in a content
            return None
        ids = _ids(self._backend, marked, add_special_tokens=self._adds(messages))
        return list(filter(self._ids.__contains__, ids))

    def _renamed(self) -> Any:
        if self._copy is None:
            self._copy = renamed_copy(self._backend, self._names)
        return self._copy


Shape = tuple[tuple[str, bool], ...]


def shape_of(messages: Sequence[Message]) -> Shape:
    """The part of a chat on which a template's control tokens depend: roles and empty contents."""
    return tuple((message.role, not message.content.strip()) for message in messages)


class Marks:
    """Marks that stand for the contents of a chat, and that no content can hold."""

    def __init__(self) -> None:
        self._stem = f"q{secrets.token_hex(12)}q"
        self._pattern = re.compile(rf"{self._stem}(\d+)q")

    def put(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with a mark for each content. One without any text is left: a template may
        leave such a message out."""
        return [
            Message(message.role, f"{self._stem}{number}q") if message.content.strip() else message
            for number, message in enumerate(messages)
        ]

    def own_pieces(self, marked: str) -> list[str]:
        """The template's own pieces of a text, which the marks stand between."""
        return self._pattern.split(marked)[::2]

    def pieces(
        self, messages: Sequence[Message], marked: str, text: str
    ) -> tuple[list[str], list[str]]:
        """The template's own pieces of `text`, and the contents between them as it wrote them.
        `marked`: what the template makes of the marks. Raises MixedError if it does not make the
        same of the contents, whole or without the white space around them."""
        own = self._pattern.split(marked)
        numbers, own = [int(number) for number in own[1::2]], own[::2]
        contents: list[str] = []
        place = len(own[0])
        if not text.startswith(own[0]):
            raise _changed()
        for number, following in zip(numbers, own[1:], strict=True):
            content = _as_written(messages[number].content, text, place, following)
            contents.append(content)
            place += len(content) + len(following)
        if place != len(text):
            raise _changed()
        return own, contents


def _as_written(content: str, text: str, place: int, following: str) -> str:
    """The form of a content that stands in `text` at `place`, before `following`."""
    for form in (content, content.strip(), content.rstrip(), content.lstrip()):
        if text.startswith(form, place) and text.startswith(following, place + len(form)):
            return form
    raise _changed()


def _changed() -> MixedError:
    return MixedError(
        "the text holds control tokens of the model, and the chat template changes it, so that its "
        "own cannot be told from them"
    )


def _ids(backend: Any, text: str, *, add_special_tokens: bool) -> list[int]:
    """The ids of a text. One of a batch, because only the batch call skips the offsets, which take
    a fifth longer."""
    batch = backend.encode_batch_fast([text], add_special_tokens=add_special_tokens)
    ids: list[int] = batch[0].ids
    return ids


def _is_found_in_normalized_text(backend: Any) -> bool:
    """True if a tokenizer may find control tokens in a text once it is normalized: those that say
    so, and those that its model takes from the vocabulary."""
    if backend.normalizer is None:
        return False
    model = backend.model
    merges_only = type(model).__name__ == "BPE" and not model.ignore_merges
    tokens = backend.get_added_tokens_decoder().values()
    return not merges_only or any(token.normalized for token in tokens)


def renamed_copy(backend: Any, names: Mapping[str, str]) -> Any:
    """A copy of a tokenizer in which tokens have other names and the same ids."""
    from tokenizers import Tokenizer

    table = json.loads(backend.to_str())
    for token in table["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    model = table["model"]
    vocabulary = model["vocab"]
    # A tokenizer of the kind Unigram makes its own tokens of any piece of its vocabulary.
    if isinstance(vocabulary, list):
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    else:
        model["vocab"] = {names.get(piece, piece): number for piece, number in vocabulary.items()}
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if model.get("merges"):
        model["merges"] = [merge for merge in model["merges"] if not _makes(merge, names)]
    return Tokenizer.from_str(json.dumps(table))


def _makes(merge: Any, names: Mapping[str, str]) -> bool:
    """True if a merge of two pieces takes or makes a token that has another name."""
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names
