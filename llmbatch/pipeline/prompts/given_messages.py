"""Messages that a row brings itself: a list as OpenAI's chat completions take it.

What could not be sent as it is meant, such as an image or a call of a tool, is refused: a model
that is asked without it would answer something else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from llmbatch.core.records import Message, Role
from llmbatch.pipeline.prompts.template import TemplateError

_ROLES: Mapping[str, Role] = {
    "system": "system",
    # The later name of the same role, which chat templates do not know.
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_OF_TOOLS = ("tool", "function")
# Keys of a message that say something which no text can take; where they hold nothing they are
# left out.
_REFUSED = {
    "tool_calls": "tools are not supported",
    "function_call": "tools are not supported",
    "audio": "audio is not supported",
    "name": "names of speakers are not supported",
}
# Several texts of one message are joined by it, as vLLM's server does.
_BETWEEN = "\n"
_SHOWN = 40


def read(value: Any, *, needs_question: bool = True) -> list[Message]:
    """The messages of a list, or of its JSON text. Raises TemplateError with the reason in one line
    for what is no such list, or cannot be sent. `needs_question`: the last one must not be the
    assistant's."""
    given = _parsed(value) if isinstance(value, str) else value
    if not isinstance(given, list):
        raise TemplateError(f"is no list of messages, but {_kind(given)}")
    if not given:
        raise TemplateError("holds no message")
    made = [_message(f"message {number}", one) for number, one in enumerate(given, 1)]
    if needs_question and made[-1].role == "assistant":
        raise TemplateError(
            f"message {len(made)}, the last one, is the assistant's, which leaves nothing to answer"
        )
    if all(message.role == "system" for message in made):
        raise TemplateError("holds system messages alone, which leaves nothing to answer")
    return made


@dataclass(frozen=True, slots=True)
class MessagesColumn:
    """Makes the messages of a row from one of its columns."""

    column: str

    def __call__(self, row: Mapping[str, Any]) -> list[Message]:
        """Raises TemplateError for a row that has no messages, or some that cannot be sent."""
        try:
            return read(row.get(self.column))
        except TemplateError as error:
            raise TemplateError(f"column {self.column}: {error}") from error


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise TemplateError(f"is no JSON: {error}") from error


def _message(where: str, given: Any) -> Message:
    if not isinstance(given, Mapping):
        raise TemplateError(f"{where} is no object, but {_kind(given)}")
    role = given.get("role")
    if role in _OF_TOOLS:
        raise TemplateError(f"{where} has the role {role!r}: tools are not supported")
    if not isinstance(role, str) or role not in _ROLES:
        shown = "no role" if role is None else f"the role {str(role)[:_SHOWN]!r}"
        raise TemplateError(f"{where} has {shown}; use one of {', '.join(_ROLES)}")
    for key, reason in _REFUSED.items():
        if given.get(key):
            raise TemplateError(f"{where} has {key!r}: {reason}")
    text = _BETWEEN.join(_texts(where, given.get("content")))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateError(f"{where} holds half a character") from error
    return Message(_ROLES[role], text)


def _texts(where: str, content: Any) -> Iterator[str]:
    """The text of a content, or the texts of its parts."""
    if isinstance(content, str):
        yield content
        return
    if not isinstance(content, list):
        has = "no content" if content is None else f"a content that is {_kind(content)}"
        raise TemplateError(f"{where} has {has}; give a text, or a list of parts of text")
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else part
        if kind not in ("text", None):
            shown = f"a part of type {str(kind)[:_SHOWN]!r}"
            raise TemplateError(f"{where} has {shown}: only text is supported")
        if not isinstance(text, str):
            raise TemplateError(f"{where} has a part without a text")
        yield text


def _kind(value: Any) -> str:
    """The kind of a JSON value, in words."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
