"""Requests as lines of a batch file, to be answered elsewhere."""

from typing import Any

import orjson

from llmbatch.batch_files.lines import CHAT, COMPLETIONS, EMBEDDINGS, SCORE, BodyError
from llmbatch.core.exact_json import Json, dump_record
from llmbatch.core.records import Constraint, Message, Request, Sampling

# Settings that every server has by the same name, where they say something.
_NEUTRAL = Sampling()
_NAMED = ("top_p", "seed", "presence_penalty", "frequency_penalty")
# Those that servers of vLLM have beside OpenAI's.
_OF_VLLM = ("top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos")
UNHELD = ("choice", "regex")
"""The kinds of forms that only servers of vLLM hold."""


def line(request: Request, model: str) -> str:
    """A request as a line, named by its key. Raises BodyError for one that no such line can ask
    for."""
    if request.adapter is not None:
        raise BodyError("an adapter cannot be named in a batch file")
    url, body = _body(request)
    named = {"custom_id": request.key, "method": "POST", "url": url}
    return dump_record(named | {"body": {"model": model} | body})


def _body(request: Request) -> tuple[str, dict[str, Any]]:
    messages, ask = request.messages, request.ask
    if ask is None:
        return _generated(request)
    if ask.kind == "embed":
        body: dict[str, Any] = {"input": messages[-1].content, "encoding_format": "base64"}
        more = {"dimensions": ask.dimensions, "use_activation": ask.normalize}
        return EMBEDDINGS, body | {name: value for name, value in more.items() if value is not None}
    if ask.kind == "score":
        return SCORE, {"text_1": messages[0].content, "text_2": messages[1].content}
    raise BodyError(f"no line of a batch file asks for {ask.kind}")


def _generated(request: Request) -> tuple[str, dict[str, Any]]:
    is_text = request.messages[0].role == "text"
    limit = "max_tokens" if is_text else "max_completion_tokens"
    settings = _drawing(request.sampling) | {limit: request.sampling.max_tokens}
    settings |= {} if request.constraint is None else _form(request.constraint)
    if is_text:
        return COMPLETIONS, {"prompt": request.messages[0].content} | settings
    return CHAT, _chat(request.messages) | settings


def _chat(messages: tuple[Message, ...]) -> dict[str, Any]:
    found = [
        {"role": "assistant" if one.role == "prefill" else one.role, "content": one.content}
        for one in messages
    ]
    if messages[-1].role != "prefill":
        return {"messages": found}
    return {"messages": found, "continue_final_message": True, "add_generation_prompt": False}


def _drawing(sampling: Sampling) -> dict[str, Any]:
    settings: dict[str, Any] = {"temperature": sampling.temperature}
    for name in (*_NAMED, *_OF_VLLM):
        if (value := getattr(sampling, name)) != getattr(_NEUTRAL, name):
            settings[name] = value
    if sampling.stop:
        settings["stop"] = list(sampling.stop)
    return settings


def _form(constraint: Constraint) -> dict[str, Any]:
    if constraint.kind == "json":
        described = {"name": "answer", "schema": Json(constraint.value)}
        return {"response_format": {"type": "json_schema", "json_schema": described}}
    if constraint.kind == "choice":
        return {"structured_outputs": {"choice": orjson.loads(constraint.value)}}
    return {"structured_outputs": {"regex": constraint.value}}
