"""Bodies of requests, as requests of ours."""

import json
from collections.abc import Mapping
from typing import Any

from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling

OPENAI = frozenset(
    {
        "messages", "model", "temperature", "top_p",
        "max_tokens", "max_completion_tokens", "seed", "stop",
        "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
        "top_logprobs", "n", "stream", "user",
        "response_format", "prompt", "echo", "reasoning_effort",
        "input", "encoding_format", "dimensions",
    }
)  # fmt: skip
"""The fields of OpenAI's own interface: a strict server takes no other."""
NEUTRAL = {
    "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
    "presence_penalty": 0.0, "frequency_penalty": 0.0,
}  # fmt: skip


class BadRequestError(ValueError):
    """A body that cannot be answered. `parameter`: the field to blame."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


def text_request(body: Mapping[str, Any], honours: tuple[str, ...]) -> Request:
    """The request of a body for a text: messages, or a prompt. Raises BadRequestError."""
    logprobs = body.get("logprobs")
    if "messages" in body:
        messages = _messages(body)
        logprobs = int(body.get("top_logprobs") or 0) if logprobs else None
    else:
        messages = (Message("text", str(body.get("prompt", ""))),)
    return Request("0" * 32, messages, _sampling(body, logprobs), _constraint(body, honours))


def _messages(body: Mapping[str, Any]) -> tuple[Message, ...]:
    if not body["messages"]:
        raise BadRequestError("messages: at least one is needed", "messages")
    made = [Message(one["role"], _content(one["content"])) for one in body["messages"]]
    if body.get("continue_final_message"):
        if body.get("add_generation_prompt", True):
            raise BadRequestError(
                "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
            )
        made[-1] = Message("prefill", made[-1].content)
    return tuple(made)


def _content(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _sampling(body: Mapping[str, Any], logprobs: int | None) -> Sampling:
    def of(name: str, default: Any) -> Any:
        value = body.get(name)
        return default if value is None else value

    stop = of("stop", ())
    repetition = of("repetition_detection", {})
    limit = of("max_completion_tokens", of("max_tokens", 16 if "prompt" in body else 10**6))
    return Sampling(
        temperature=of("temperature", 1.0),
        top_p=of("top_p", 1.0),
        top_k=of("top_k", 0),
        min_p=of("min_p", 0.0),
        max_tokens=limit,
        seed=body.get("seed"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        repetition_penalty=of("repetition_penalty", 1.0),
        presence_penalty=of("presence_penalty", 0.0),
        frequency_penalty=of("frequency_penalty", 0.0),
        repetition=repetition.get("min_count", 0),
        logprobs=logprobs,
    )


def _constraint(body: Mapping[str, Any], honours: tuple[str, ...]) -> Constraint | None:
    shape = body.get("response_format") or {}
    if "response_format" in honours and shape.get("type") == "json_schema":
        return Constraint("json", json.dumps(shape["json_schema"]["schema"]))
    if "response_format" in honours and shape.get("type") == "json_object":
        return Constraint("json", '{"type": "object"}')
    given = (body.get("structured_outputs") or {}) if "structured_outputs" in honours else {}
    if given.get("choice") is not None:
        return Constraint("choice", json.dumps(given["choice"]))
    if given.get("regex") is not None:
        return Constraint("regex", given["regex"])
    if given.get("json") is not None:
        schema = given["json"]
        return Constraint("json", schema if isinstance(schema, str) else json.dumps(schema))
    return None


def pooling_requests(body: Mapping[str, Any], endpoint: str) -> list[Request]:
    """A request for each vector or number that a body asks for. Raises BadRequestError."""
    ask = {
        "embeddings": Ask("embed", dimensions=body.get("dimensions")),
        "classify": Ask("heads"),
    }.get(endpoint, Ask("score"))
    if endpoint in ("embeddings", "classify"):
        given = body.get("input")
        texts = [given] if isinstance(given, str) else list(given or [])
        return [_pooling((Message("text", text),), ask) for text in texts]
    query = body.get("queries", body.get("query", body.get("text_1")))
    documents = body.get("documents", body.get("text_2"))
    if query is None or documents is None:
        raise BadRequestError("queries and documents are needed", "queries")
    listed = [documents] if isinstance(documents, str) else documents
    return [_pooling((Message("query", query), Message("document", one)), ask) for one in listed]


def _pooling(messages: tuple[Message, ...], ask: Ask) -> Request:
    return Request("0" * 32, messages, Sampling(max_tokens=1), ask=ask)


def filled(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The body with the server's own values for sampling fields that it lacks; True if one of them
    makes another distribution."""
    missing = {name: value for name, value in defaults.items() if body.get(name) is None}
    differs = any(value != NEUTRAL.get(name) for name, value in missing.items())
    return {**body, **missing}, differs
