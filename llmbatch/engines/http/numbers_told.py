"""The part that vectors and classes have in common: one text, which may be too long."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import Ask, Request
from llmbatch.core.vectors import packed
from llmbatch.engines.http.answers import UnreadableError, table, usage_of
from llmbatch.engines.http.bodies import Call, RefusedError, dumped
from llmbatch.engines.http.failures import Problem
from llmbatch.engines.pooling import Pooling

TOKENIZE = "/tokenize"
_AS_LONG_AS_FITS = -1


class OneText:
    """Calls about one text. Where it may be cut, the server is asked for its length once it has
    been refused, and then for the beginning that fits."""

    path = ""
    at_root = False

    def __init__(self, model: str, ask: Ask, known: Pooling | None) -> None:
        self._model = model
        self._ask = ask
        self._known = known
        self._is_vllm = True

    def _fields(self) -> dict[str, Any]:
        """The fields of a body beside the model and the text."""
        return {}

    def _values(self, found: dict[str, Any]) -> Sequence[float]:
        """The numbers of an answer. Raises LookupError, TypeError or ValueError."""
        raise NotImplementedError

    def _fault(self, values: Sequence[float]) -> str | None:
        """The reason why these cannot be the numbers of an answer."""
        return None

    def call(self, request: Request) -> Call:
        """See `asks.Asks`."""
        return self._call(self._text(request), {}, None)

    def _text(self, request: Request) -> str:
        if len(request.messages) != 1:
            raise RefusedError("numbers are made of one text, and this request has several")
        text = request.messages[0].content
        if not text.strip():
            raise RefusedError("the text is blank: there is nothing to make numbers of")
        prefix = "" if self._known is None else self._known.prefixes.get("text", "")
        return prefix + text

    def _call(self, text: str, more: dict[str, Any], state: Any) -> Call:
        body = {"model": self._model, "input": text, **self._fields(), **more}
        return Call(self.path, dumped(body), at_root=self.at_root, state=state)

    def outcome(self, request: Request, body: bytes, call: Call) -> Outcome | Call:
        """See `asks.Asks`."""
        found = table(body)
        if call.path == TOKENIZE:
            return self._cut(request, found)
        try:
            values = [float(value) for value in self._values(found)]
        except (LookupError, TypeError, ValueError) as error:
            raise UnreadableError("the answer holds no numbers") from error
        told = usage_of(found)
        usage = Usage(prompt=told.prompt, cached=told.cached)
        fault = self._fault(values)
        if fault is not None:
            return Failed(request.key, "refused_request", fault, usage)
        return Completed(request.key, self._written(values, call.state or 0), "stop", usage)

    def _written(self, values: Sequence[float], cut: int) -> str:
        text = packed(values)
        if self._ask.overflow == "fail":
            return text
        return dumped({"vector": text, "cut": cut}).decode()

    def refused(self, request: Request, call: Call, problem: Problem) -> Call | None:
        """See `jobs.ReadsRefusals`."""
        may_cut = self._ask.overflow == "truncate" and self._is_vllm and call.state is None
        if problem.kind != "too_long" or not may_cut or call.path == TOKENIZE:
            return None
        body = {"model": self._model, "prompt": self._text(request)}
        return Call(TOKENIZE, dumped(body), at_root=True)

    def _cut(self, request: Request, found: dict[str, Any]) -> Call:
        try:
            left_out = int(found["count"]) - int(found["max_model_len"])
        except (LookupError, TypeError, ValueError) as error:
            raise UnreadableError("the server does not tell the length of a text") from error
        more = {"truncate_prompt_tokens": _AS_LONG_AS_FITS, "truncation_side": "right"}
        return self._call(self._text(request), more, max(0, left_out))


def length_of(values: Sequence[float]) -> float:
    """The length of a vector."""
    return math.sqrt(sum(value * value for value in values))


def unit(values: Sequence[float]) -> list[float]:
    """The vector with length 1; a zero one as it is."""
    vector = np.asarray(values, np.float64)
    length = float(np.linalg.norm(vector))
    return [float(value) for value in (vector / length if length else vector)]
