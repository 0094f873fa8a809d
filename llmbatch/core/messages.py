"""Messages and bodies of requests as JSON text, in the form in which they are hashed and stored."""

import json
import json.encoder
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from llmbatch.core.records import Message

# A string as `json_text` writes it, without the cost of an encoder for each message.
_quoted = json.encoder.encode_basestring


def messages_text(messages: Iterable[Message]) -> str:
    """Messages as the JSON text that is hashed, stored and sent."""
    # A list is joined in less time than what is yielded one by one.
    written = [f"[{_quoted(message.role)},{_quoted(message.content)}]" for message in messages]
    return f"[{','.join(written)}]"


def messages_of(text: str) -> tuple[Message, ...]:
    """The messages that `messages_text` has written."""
    return tuple(Message(role, content) for role, content in orjson.loads(text))


def body_of(text: str | None) -> Mapping[str, Any] | None:
    """The settings of a request beside its messages, from their JSON text."""
    body: dict[str, Any] | None = None if text is None else json.loads(text)
    return body


def json_text(value: Any) -> str:
    """Compact JSON in which the order of keys counts: an answer follows its schema's order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
