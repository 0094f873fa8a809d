"""The outcome in a server's answer."""

from collections.abc import Mapping
from typing import Any

import orjson

from llmbatch.core.messages import json_text
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import ChatSettings, Request
from llmbatch.engines.http.bodies import WRAPPED, Call

LEAST = -9999.0
"""The log probability that vLLM's server tells in the place of minus infinity."""
_ENDS = ("stop", "length", "repetition")
_END_OF_THINKING = "</think>"


class UnreadableError(ValueError):
    """An answer that is none: cut, or not of the form that was asked for."""


def table(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer. Raises UnreadableError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"the answer is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnreadableError("the answer is no JSON object")
    return found


class Answers:
    """Reads the answers to chats and texts. `max_model_len`: of the servers, None: not known."""

    def __init__(self, chat: ChatSettings, max_model_len: int | None) -> None:
        self._thinks = chat.thinking not in (None, "off")
        self._max_model_len = max_model_len

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome:
        """Raises UnreadableError."""
        found = table(body)
        try:
            choice = found["choices"][0]
            message = choice.get("message")
            text = choice["text"] if message is None else message.get("content")
            reason = choice.get("finish_reason")
        except (LookupError, TypeError, AttributeError) as error:
            raise UnreadableError("the answer has no choice with a text") from error
        if not isinstance(text, str | None) or not isinstance(reason, str | None):
            raise UnreadableError("the answer's text is no text")
        usage = usage_of(found)
        reasoning = _reasoning(message or {})
        if reason not in _ENDS:
            return _ended_badly(request, text, reason, usage)
        if reason == "length" and self._fills_context(usage):
            reason = "context"
        if self._thinks and reasoning is None and text and not request.prefill:
            reasoning, text = _parted(text)
        if text is None:
            return self._without_text(request, reason, reasoning, usage)
        if call.wrapped and reason == "stop":
            text = unwrapped(text)
        logprobs = _logprobs(choice)
        return Completed(request.key, request.prefill + text, reason, usage, reasoning, logprobs)

    def _fills_context(self, usage: Usage) -> bool:
        """True if prompt and answer fill the longest sequence that the server takes."""
        most = self._max_model_len
        return most is not None and usage.prompt + usage.output >= most

    def _without_text(
        self, request: Request, reason: str, reasoning: str | None, usage: Usage
    ) -> Outcome:
        if not (self._thinks or reasoning):
            return Completed(request.key, request.prefill, reason, usage)
        how = "" if reason == "stop" else f" ({reason})"
        message = f"did not end its thinking in {usage.output} tokens{how}"
        kind = "unfinished_thinking"
        return Failed(request.key, kind, message, usage, reasoning, reason)


def usage_of(found: Mapping[str, Any]) -> Usage:
    """The tokens that an answer tells; zeros for what it does not."""
    told = found.get("usage")
    if not isinstance(told, dict):
        return Usage()
    inputs, outputs = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    return Usage(
        _count(told, "prompt_tokens"),
        _count(inputs, "cached_tokens"),
        _count(told, "completion_tokens"),
        _count(outputs, "reasoning_tokens"),
    )


def tells_cached(found: Mapping[str, Any]) -> bool:
    """True if an answer tells how much of its prompt the prefix cache served."""
    told = found.get("usage")
    inputs = told.get("prompt_tokens_details") if isinstance(told, dict) else None
    return isinstance(inputs, dict) and isinstance(inputs.get("cached_tokens"), int)


def unwrapped(text: str) -> str:
    """The answer inside an object of one member; the text itself where it is none."""
    try:
        found = orjson.loads(text)
        inner = found[WRAPPED]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return text
    return inner if isinstance(inner, str) else orjson.dumps(inner).decode()


def _count(told: Any, name: str) -> int:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) else 0


def _ended_badly(request: Request, text: str | None, reason: str | None, usage: Usage) -> Failed:
    said = f"the server ended the request with {reason!r}"
    return Failed(request.key, "refused_request", said, usage, text, reason)


def _reasoning(message: Mapping[str, Any]) -> str | None:
    for name in ("reasoning", "reasoning_content"):
        if isinstance(found := message.get(name), str) and found:
            return found
    return None


def _parted(text: str) -> tuple[str | None, str | None]:
    """Thinking and answer, where a server leaves them together; no answer where it did not end."""
    thought, end, answer = text.rpartition(_END_OF_THINKING)
    if not end:
        return text, None
    return thought.strip().removeprefix("<think>").strip(), answer.lstrip("\n")


def _logprobs(choice: Mapping[str, Any]) -> str | None:
    """In the form of `Completed.logprobs`."""
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        return None
    try:
        if "tokens" in told:
            return json_text(_of_text(told))
        return json_text([_of_chat(at) for at in told.get("content") or ()])
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableError(f"the answer's log probabilities: {error}") from error


def _of_chat(at: Mapping[str, Any]) -> list[list[Any]]:
    own = [at["token"], max(at["logprob"], LEAST)]
    others = [[one["token"], max(one["logprob"], LEAST)] for one in at.get("top_logprobs") or ()]
    return [own, *(one for one in others if one[0] != own[0])]


def _of_text(told: Mapping[str, Any]) -> list[list[list[Any]]]:
    tops = told.get("top_logprobs") or [None] * len(told["tokens"])
    found = []
    for token, logprob, likely in zip(told["tokens"], told["token_logprobs"], tops, strict=True):
        own = [token, max(logprob, LEAST)]
        others = [[name, max(value, LEAST)] for name, value in (likely or {}).items()]
        found.append([own, *(one for one in others if one[0] != token)])
    return found
