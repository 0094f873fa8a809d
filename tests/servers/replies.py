"""The bodies that a server answers with."""

import base64
import json
import math
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.core.outcomes import Completed, Failed, Usage


def usage_of(usage: Usage, form: str) -> dict[str, Any]:
    """Tokens as `ServerOptions.usage` has them told."""
    if form == "none":
        return {}
    told: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
    }
    if form == "full":
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached}
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return {"usage": told}


def chat(outcome: Completed, begun: str, model: str, form: str) -> dict[str, Any]:
    """The body for a chat. `begun`: what of the text the request gave, which is not said again."""
    message = {"role": "assistant", "content": outcome.text.removeprefix(begun)}
    if outcome.reasoning is not None:
        message["reasoning"] = outcome.reasoning
    told = {"content": _chat_logprobs(outcome.logprobs)} if outcome.logprobs else None
    choice = {"index": 0, "message": message, "logprobs": told, **_ending(outcome)}
    return _whole("chat.completion", choice, outcome, model, form)


def completion(outcome: Completed, model: str, form: str) -> dict[str, Any]:
    choice = {"index": 0, "text": outcome.text, "logprobs": None, **_ending(outcome)}
    return _whole("text_completion", choice, outcome, model, form)


def _whole(
    kind: str, choice: dict[str, Any], outcome: Completed, model: str, form: str
) -> dict[str, Any]:
    head = {"id": "scripted-1", "object": kind, "created": int(time.time()), "model": model}
    return {**head, "choices": [choice], **usage_of(outcome.usage, form)}


def _ending(outcome: Completed) -> dict[str, Any]:
    reason = {"context": "length"}.get(outcome.finish_reason, outcome.finish_reason)
    return {"finish_reason": reason, "stop_reason": None}


def _chat_logprobs(logprobs: str) -> list[dict[str, Any]]:
    told = []
    for (token, likely), *likeliest in json.loads(logprobs):
        others = [_token(*other) for other in likeliest]
        told.append({**_token(token, likely), "top_logprobs": others})
    return told


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def pooled(
    endpoint: str, body: Mapping[str, Any], outcomes: Sequence[Completed], model: str, form: str
) -> dict[str, Any]:
    """The body for vectors, scores or classes."""
    vectors = [_numbers(outcome.text) for outcome in outcomes]
    total = Usage(sum(outcome.usage.prompt for outcome in outcomes))
    head = {"id": "scripted-1", "model": model, **usage_of(total, form)}
    if endpoint == "rerank":
        results = [
            {"index": index, "relevance_score": vector[0], "document": {"text": document}}
            for index, (vector, document) in enumerate(zip(vectors, body["documents"], strict=True))
        ]
        return {**head, "results": sorted(results, key=lambda one: -one["relevance_score"])}
    told = [
        {"index": index, **_pooled_one(endpoint, body, outcome.text, vector)}
        for index, (outcome, vector) in enumerate(zip(outcomes, vectors, strict=True))
    ]
    return {**head, "object": "list", "data": told}


def _pooled_one(
    endpoint: str, body: Mapping[str, Any], packed: str, vector: list[float]
) -> dict[str, Any]:
    if endpoint == "score":
        value = 1 / (1 + math.exp(-vector[0])) if body["activates"] else vector[0]
        return {"object": "score", "score": value}
    if endpoint == "classify":
        best = max(range(len(vector)), key=vector.__getitem__)
        return {"label": f"LABEL_{best}", "probs": vector, "num_classes": len(vector)}
    coded = body.get("encoding_format") == "base64"
    return {"object": "embedding", "embedding": packed if coded else vector}


def _numbers(packed: str) -> list[float]:
    raw = base64.b64decode(packed)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def error(status: int, message: str, kind: str, parameter: str | None = None) -> dict[str, Any]:
    """The body of a refusal, in the form that OpenAI's clients read."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": status}}


def failure(failed: Failed) -> tuple[int, dict[str, Any]]:
    """The status and body for an outcome that is a failure of the request itself."""
    parameter = "input_tokens" if failed.kind == "too_long" else None
    return 400, error(400, failed.message, "BadRequestError", parameter)
