"""The lines of an answered batch file, whoever has answered it."""

import base64
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.batch_files.lines import CUSTOM_ID
from llmbatch.core import exact_json


@dataclass(frozen=True, slots=True)
class OneAnswer:
    """An answer and the tokens that it took. `text`: None where there is no usable one, for the
    reason `fault`; else as `Completed` has it."""

    text: str | None
    finish_reason: str = "stop"
    fault: str = ""
    reasoning: str | None = None
    prompt: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """A line: what has the name `custom_id` got these answers, by the model of this name."""

    custom_id: str
    model: str | None
    answers: Sequence[OneAnswer]


class AnswerError(Exception):
    """A line that is none of an answered batch file, for the reason in the text."""


def read(text: str) -> AnsweredLine:
    """A line of an output or of an error file. Raises AnswerError."""
    try:
        record = exact_json.parse_record(text)
    except ValueError as error:
        raise AnswerError(f"invalid JSON: {error}") from error
    name = record.get(CUSTOM_ID)
    if not isinstance(name, str):
        raise AnswerError("has no custom_id")
    response = record.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    status = response.get("status_code", 200) if isinstance(response, dict) else None
    if record.get("error") or status != 200 or not isinstance(body, dict):
        return AnsweredLine(name, None, [OneAnswer(None, fault=_fault(record, body))])
    try:
        return AnsweredLine(name, _text(body.get("model")), _answers(body))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise AnswerError("its body is no response that is known here") from error


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _fault(record: Mapping[str, Any], body: Any) -> str:
    """The reason of a failed line, in its server's words."""
    for holder in (body, record):
        error = holder.get("error") if isinstance(holder, dict) else None
        error = error.get("error", error) if isinstance(error, dict) else error
        if isinstance(error, dict) and error.get("message"):
            return str(error["message"])
        if isinstance(error, str) and error:
            return error
    return "has no response"


def _answers(body: Mapping[str, Any]) -> list[OneAnswer]:
    if "choices" in body:
        return _choices(body)
    if "data" in body:
        tokens = int((body.get("usage") or {}).get("prompt_tokens") or 0)
        found = sorted(body["data"], key=lambda one: int(one["index"]))
        return [
            OneAnswer(_numbers(one), prompt=0 if index else tokens)
            for index, one in enumerate(found)
        ]
    raise KeyError("choices")


def _choices(body: Mapping[str, Any]) -> list[OneAnswer]:
    """The answers of a chat or a text; the tokens of all of them stand with the first."""
    usage = body.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    prompt = int(usage.get("prompt_tokens") or 0)
    tokens = (
        prompt,
        min(prompt, int(details.get("cached_tokens") or 0)),
        int(usage.get("completion_tokens") or 0),
    )
    found = sorted(body["choices"], key=lambda one: int(one["index"]))
    return [_choice(one, (0, 0, 0) if index else tokens) for index, one in enumerate(found)]


def _choice(one: Mapping[str, Any], tokens: tuple[int, int, int]) -> OneAnswer:
    message = one.get("message")
    text = one.get("text") if message is None else message.get("content")
    reason = str(one.get("finish_reason") or "stop")
    thought = None if message is None else message.get("reasoning")
    if reason not in ("stop", "length"):
        return OneAnswer(None, reason, f"ended with finish reason {reason!r}", None, *tokens)
    if not isinstance(text, str):
        refusal = None if message is None else message.get("refusal")
        return OneAnswer(None, reason, str(refusal or "has no text"), None, *tokens)
    return OneAnswer(text, reason, "", _text(thought), *tokens)


def _numbers(one: Mapping[str, Any]) -> str:
    """A vector or a score, as `Completed` has it."""
    value = one["embedding"] if "embedding" in one else [one["score"]]
    if isinstance(value, str):
        base64.b64decode(value, validate=True)
        return value
    return base64.b64encode(array("f", map(float, value)).tobytes()).decode()
