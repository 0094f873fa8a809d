"""The system prompt as a part of the user's message, for models that have no such role."""

from collections.abc import Sequence

from llmbatch.core.records import Message

_BETWEEN = "\n\n"


def put_before_user(messages: Sequence[Message]) -> list[Message]:
    """The messages with the text of the system message before that of the user's message after it,
    or in one of its own where another one follows."""
    if len(messages) < 2 or messages[0].role != "system":
        return list(messages)
    first, following, *rest = messages
    if following.role != "user":
        return [Message("user", first.content), following, *rest]
    parts = [text for text in (first.content, following.content) if text.strip()]
    return [Message("user", _BETWEEN.join(parts)), *rest]
