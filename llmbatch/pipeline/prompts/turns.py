"""The turns of a chat in their order: the system's, those of examples, the row's own, and the
beginning of the answer."""

from collections.abc import Iterable, Sequence

from llmbatch.core.records import Message
from llmbatch.pipeline.prompts.pieces import Piece

_BETWEEN = "\n\n"


def joined(made: Sequence[Message], given: Sequence[Message]) -> list[Message]:
    """The messages of templates with those that a row brings itself between them: after the system
    prompt, which goes before the row's own one in one message, and before the answer's beginning.
    """
    before, after = _split(made)
    if before and given and given[0].role == "system":
        return [*_merged(before[0], given[0]), *given[1:], *after]
    return [*before, *given, *after]


def with_examples(made: Sequence[Message], examples: Sequence[Message]) -> list[Message]:
    """The messages of a row with the turns of examples before its own, after the system prompt."""
    if not examples:
        return list(made)
    before = 1 if made and made[0].role == "system" else 0
    return [*made[:before], *examples, *made[before:]]


def without_empty_beginning(made: list[Message]) -> list[Message]:
    """The messages without the beginning of an answer that is empty for this row."""
    return made[:-1] if made and made[-1] == _EMPTY else made


def can_be_told(made: Sequence[Message]) -> bool:
    """True if the messages are a chat, which more turns can follow."""
    return made[-1].role in ("user", "prefill")


def told(made: Sequence[Message], answer: str, reason: str) -> tuple[Message, ...]:
    """The messages of a chat, followed by the answer that they got and the reason why it is not
    accepted; the next answer begins as that one had to."""
    before, after = _split(made)
    return (*before, Message("assistant", answer), Message("user", reason), *after)


def notices(pieces: Iterable[Piece]) -> list[str]:
    """A line for the user about the beginning of an answer that the model will hardly go on from:
    most tokens of words begin with a space."""
    ends = [piece.source.removesuffix("\n") for piece in pieces if piece.role == "prefill"]
    return [
        "the prefill ends with white space, which most models write with the word after it: they "
        "answer better without"
        for end in ends
        if end != end.rstrip()
    ]


_EMPTY = Message("prefill", "")


def _split(made: Sequence[Message]) -> tuple[Sequence[Message], Sequence[Message]]:
    has_end = bool(made) and made[-1].role == "prefill"
    return (made[:-1], made[-1:]) if has_end else (made, ())


def _merged(first: Message, second: Message) -> list[Message]:
    """Two system messages as one: few chat templates take more."""
    parts = [text for text in (first.content, second.content) if text.strip()]
    return [Message("system", _BETWEEN.join(parts))]
