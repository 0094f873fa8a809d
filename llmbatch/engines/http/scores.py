"""Scores of pairs: from vLLM's /v1/score, or from the /v1/rerank of other servers."""

import math
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Outcome, Usage
from llmbatch.core.records import Ask, Request
from llmbatch.core.vectors import packed
from llmbatch.engines.http.answers import UnreadableError, table, usage_of
from llmbatch.engines.http.bodies import Call, RefusedError, dumped
from llmbatch.engines.pooling import Output, Pooling

_SCORE, _RERANK = "/score", "/rerank"
_PROBES = (("a text", "a text"), ("a question", "another matter"))
_CLOSE = 2e-3
_TOLD = "the server's answer"


class Scores:
    """See `asks.Asks`."""

    def __init__(self, model: str, ask: Ask, known: Pooling | None) -> None:
        self._model = model
        self._ask = ask
        self._known = known
        self._is_vllm = True
        self._output: Output | None = None

    def call(self, request: Request) -> Call:
        """See `asks.Asks`."""
        if [message.role for message in request.messages] != ["query", "document"]:
            raise RefusedError("a score is made of a query and a document")
        texts = [message.content for message in request.messages]
        if not all(text.strip() for text in texts):
            raise RefusedError("the text is blank: there is nothing to make numbers of")
        prefixes = {} if self._known is None else self._known.prefixes
        query, document = (
            prefixes.get(message.role, "") + message.content for message in request.messages
        )
        return self._call(query, document)

    def _call(self, query: str, document: str, **more: Any) -> Call:
        if self._is_vllm:
            body = {"model": self._model, "text_1": query, "text_2": document, **more}
            return Call(_SCORE, dumped(body))
        body = {"model": self._model, "query": query, "documents": [document], **more}
        return Call(_RERANK, dumped(body))

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome | Call:
        """See `asks.Asks`."""
        found = table(body)
        told = usage_of(found)
        usage = Usage(prompt=told.prompt, cached=told.cached)
        return Completed(request.key, packed([_value(found)]), "stop", usage)

    async def prepare(self, post: Any, *, is_vllm: bool) -> None:
        """See `asks.Asks`."""
        self._is_vllm = is_vllm
        try:
            told = [_value(await post(self._call(*pair))) for pair in _PROBES]
            raw = told
            if is_vllm:
                calls = [self._call(*pair, use_activation=False) for pair in _PROBES]
                raw = [_value(await post(call)) for call in calls]
        except UnreadableError as error:
            raise EngineError(f"the server gives no scores: {error}") from error
        output = _kind(told, raw) if is_vllm else None
        if self._output not in (None, output):
            raise EngineError(f"the servers give scores of two kinds: {self._output} and {output}")
        self._output = output

    def pooling(self) -> Pooling | None:
        """See `asks.Asks`."""
        if self._known is not None or self._output is None:
            return self._known
        return Pooling(self._output, width=1, sources={"output": _TOLD})


def _value(found: dict[str, Any]) -> float:
    try:
        (one,) = found["data"] if "data" in found else found["results"]
        return float(one["score"] if "score" in one else one["relevance_score"])
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableError("the answer holds no score") from error


def _kind(told: list[float], raw: list[float]) -> Output | None:
    """The kind of scores, by those of the probes as they come and without an activation. The first
    probe is a text beside itself."""

    def all_close(wanted: list[float]) -> bool:
        return all(math.isclose(a, b, abs_tol=_CLOSE) for a, b in zip(told, wanted, strict=True))

    if not all_close(raw):
        is_sigmoid = all_close([1 / (1 + math.exp(-value)) for value in raw])
        return "sigmoid" if is_sigmoid else None
    return "cosine" if math.isclose(told[0], 1, abs_tol=_CLOSE) else "raw"
