"""The lines that answer a batch file, in the shape of OpenAI's.

What a line holds follows from its request and its answer alone, so that the same job has the same
output, byte for byte, however often it was stopped: ids are digests, and `created` is 0.
"""

import base64
import hashlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from llmbatch.batch_files import completions
from llmbatch.batch_files.lines import CHAT, COMPLETIONS, EMBEDDINGS, RERANK, SCORE
from llmbatch.batch_files.wanted import Wanted

Answer = Mapping[str, Any]
"""One answer of a row, as the store has it: answer, finish_reason, tokens, logprobs, ..."""

OK, BAD_REQUEST, SERVER_ERROR = 200, 400, 500
# By kind of failure: those for which the request is at fault, as a server would say.
_AT_FAULT = ("bad_request", "template", "control_tokens", "too_long", "refused_request")
_ID_BYTES = 12
PREFIX = "llmbatch-"
"""The beginning of the id of each line."""


def answered(wanted: Wanted, answers: Sequence[Answer], model: str) -> str:
    """The line of a row whose requests are all answered; `model`: the job's."""
    name = wanted.line.custom_id
    number = _digest(name, *(str(answer["request"]) for answer in answers))
    body = _BODIES[wanted.line.endpoint](wanted, answers, wanted.line.model or model, number)
    return _line(number, name, OK, body, None)


def failed(custom_id: str | None, request: str | None, kind: str, message: str) -> str:
    """The line of a row that has no answer; `request`: the key of its request, if it has one."""
    status = BAD_REQUEST if kind in _AT_FAULT else SERVER_ERROR
    title = "invalid_request_error" if status == BAD_REQUEST else "server_error"
    error = {"message": message, "type": title, "param": None, "code": kind}
    number = _digest(custom_id or "", request or "", kind, message)
    return _line(number, custom_id, status, {"error": error}, {"code": kind, "message": message})


def rejected(custom_id: str | None, line: int, message: str) -> str:
    """The line for an input line that never became a row."""
    number = _digest(custom_id or "", str(line), message)
    error = {"code": "rejected", "message": message, "line": line}
    return orjson.dumps(
        {"id": f"{PREFIX}{number}", "custom_id": custom_id, "response": None, "error": error}
    ).decode()


def _line(
    number: str,
    custom_id: str | None,
    status: int,
    body: Mapping[str, Any],
    error: Mapping[str, Any] | None,
) -> str:
    response = {"status_code": status, "request_id": f"req_{number}", "body": body}
    line = {
        "id": f"{PREFIX}{number}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }
    return orjson.dumps(line).decode()


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=_ID_BYTES).hexdigest()


def numbers_of(text: str) -> "array[float]":
    """The numbers of an answer that is no text."""
    found: array[float] = array("f")
    found.frombytes(base64.b64decode(text))
    return found


def _embeddings(
    wanted: Wanted, answers: Sequence[Answer], model: str, number: str
) -> dict[str, Any]:
    is_plain = wanted.given.get("encoding_format", "float") == "float"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": list(numbers_of(text)) if is_plain else text,
        }
        for index, text in enumerate(answer["answer"] for answer in answers)
    ]
    usage = _prompt_usage(answers)
    return {"id": f"embd-{number}", "object": "list", "created": 0, "model": model, "data": data,
            "usage": usage}  # fmt: skip


def _scores(wanted: Wanted, answers: Sequence[Answer], model: str, number: str) -> dict[str, Any]:
    data = [
        {"index": index, "object": "score", "score": numbers_of(answer["answer"])[0]}
        for index, answer in enumerate(answers)
    ]
    usage = _prompt_usage(answers)
    return {"id": f"score-{number}", "object": "list", "created": 0, "model": model, "data": data,
            "usage": usage}  # fmt: skip


def _ranks(wanted: Wanted, answers: Sequence[Answer], model: str, number: str) -> dict[str, Any]:
    assert wanted.texts is not None, "pairs are texts"
    results = []
    for index, (pair, answer) in enumerate(zip(wanted.texts, answers, strict=True)):
        score = numbers_of(answer["answer"])[0]
        document = {"text": pair[-1].content}
        result = {"index": index, "document": document, "relevance_score": score}
        if wanted.given.get("return_documents") is False:
            del result["document"]
        results.append(result)
    results.sort(key=lambda result: -result["relevance_score"])  # type: ignore[operator]
    most = wanted.given.get("top_n") or len(results)
    usage = _prompt_usage(answers)
    return {"id": f"rerank-{number}", "model": model, "results": results[:most], "usage": usage}


def _prompt_usage(answers: Sequence[Answer]) -> dict[str, int]:
    tokens = sum(answer["prompt_tokens"] for answer in answers)
    return {"prompt_tokens": tokens, "total_tokens": tokens}


_BODIES = {
    CHAT: completions.chat,
    COMPLETIONS: completions.plain,
    EMBEDDINGS: _embeddings,
    SCORE: _scores,
    RERANK: _ranks,
}
