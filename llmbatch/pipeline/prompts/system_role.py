"""The system prompt as a part of the user's message, for models that have no such role."""

from collections.abc import Sequence

from llmbatch.core.records import Message

_BETWEEN = "\n\n"


def put_before_user(messages: Sequence[Message]) -> list[Message]:
    """The messages with the text of the system message before that of the message after it."""
    if len(messages) < 2 or messages[0].role != "system":
        return list(messages)
    first, following, *rest = messages
    parts = [text for text in (first.content, following.content) if text.strip()]
    return [Message(following.role, _BETWEEN.join(parts)), *rest]
