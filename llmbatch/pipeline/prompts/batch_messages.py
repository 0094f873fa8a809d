"""The messages of a row that is a line of a batch file."""

from collections.abc import Mapping
from typing import Any

from llmbatch.batch_files import lines, wanted
from llmbatch.batch_files.lines import BodyError
from llmbatch.core.records import Message
from llmbatch.pipeline.prompts import given_messages
from llmbatch.pipeline.prompts.template import TemplateError

BAD_REQUEST = "bad_request"
"""The kind of failure of a row that asks for what is not answered."""


class BadMessagesError(TemplateError):
    """A line whose messages cannot be sent."""

    kind = BAD_REQUEST


def of_line(row: Mapping[str, Any]) -> list[Message]:
    """The messages of a chat; of texts and pairs those of all of them, which the task divides. None
    of a line that is not answered: the task says why. Raises TemplateError."""
    try:
        line = lines.read(row)
        if line.endpoint == lines.CHAT:
            return _chat(line.body.get("messages"))
        return [message for text in wanted.read(line).texts or () for message in text]
    except BodyError:
        return []


def _chat(value: Any) -> list[Message]:
    if value is None:
        return []
    try:
        return given_messages.read(value, needs_question=False)
    except TemplateError as error:
        raise BadMessagesError(f"messages: {error}") from error
