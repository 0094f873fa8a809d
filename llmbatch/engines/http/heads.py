"""The probabilities of a classification head, from vLLM's /classify."""

import math
from collections.abc import Sequence
from typing import Any

from llmbatch.core.errors import EngineError
from llmbatch.engines.http.bodies import Call, dumped
from llmbatch.engines.http.numbers_told import OneText
from llmbatch.engines.pooling import Output, Pooling

_PROBE = "a text"
_CLOSE = 1e-3
_TOLD = "the server's answer"


class Heads(OneText):
    """See `asks.Asks`."""

    path = "/classify"
    at_root = True
    _width: int | None = None
    _output: Output = "softmax"

    def _values(self, found: dict[str, Any]) -> Sequence[float]:
        (one,) = found["data"]
        values: Sequence[float] = one["probs"]
        return values

    def _fault(self, values: Sequence[float]) -> str | None:
        if self._width is not None and len(values) != self._width:
            return f"the server gave {len(values)} numbers, not {self._width}"
        return None

    async def prepare(self, post: Any, *, is_vllm: bool) -> None:
        """See `asks.Asks`."""
        if not is_vllm:
            raise EngineError(
                "only vLLM's servers have classification heads: of a model that writes, ask for "
                "one of several answers: --choice NAME for each"
            )
        body = {"model": self._model, "input": _PROBE}
        found = await post(Call(self.path, dumped(body), at_root=True))
        try:
            values = self._values(found)
        except (LookupError, TypeError, ValueError) as error:
            raise EngineError("the server's /classify gives no probabilities") from error
        if self._width not in (None, len(values)):
            raise EngineError(f"the servers give {self._width} and {len(values)} probabilities")
        self._width = len(values)
        self._output = "softmax" if math.isclose(sum(values), 1, abs_tol=_CLOSE) else "sigmoid"

    def pooling(self) -> Pooling | None:
        """See `asks.Asks`."""
        if self._known is not None or self._width is None:
            return self._known
        labels = tuple(f"LABEL_{number}" for number in range(self._width))
        sources = dict.fromkeys(("width", "output"), _TOLD)
        return Pooling(self._output, width=self._width, labels=labels, sources=sources)
