"""Vectors of texts, from a server's /v1/embeddings."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from llmbatch.core.errors import EngineError
from llmbatch.engines.http.bodies import Call, dumped
from llmbatch.engines.http.numbers_told import OneText, length_of, unit
from llmbatch.engines.pooling import Pooling

_PROBE = "a text"
_CLOSE = 1e-3
_TOLD = "the server's answer"


class Embeddings(OneText):
    """See `asks.Asks`."""

    path = "/embeddings"
    _width: int | None = None
    _is_unit = False

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"encoding_format": "base64"}
        if self._ask.dimensions is not None:
            fields["dimensions"] = self._ask.dimensions
        if self._ask.normalize is False and self._is_vllm:
            fields["use_activation"] = False
        return fields

    def _values(self, found: dict[str, Any]) -> Sequence[float]:
        (one,) = found["data"]
        given = one["embedding"]
        if isinstance(given, str):  # a server that knows no base64 gives a list in its place
            given = np.frombuffer(base64.b64decode(given, validate=True), "<f4").tolist()
        return unit(given) if self._ask.normalize else given

    def _fault(self, values: Sequence[float]) -> str | None:
        wanted = self._ask.dimensions or self._width
        if wanted is not None and len(values) != wanted:
            return f"the server gave {len(values)} numbers, not {wanted}"
        return None

    async def prepare(self, post: Any, *, is_vllm: bool) -> None:
        """See `asks.Asks`."""
        self._is_vllm = is_vllm
        body = {"model": self._model, "input": _PROBE, **self._fields()}
        found = await post(Call(self.path, dumped(body)))
        try:
            values = self._values(found)
        except (LookupError, TypeError, ValueError) as error:
            raise EngineError("the server's /embeddings gives no vectors") from error
        width, wanted = len(values), self._ask.dimensions
        if wanted is not None and width != wanted:
            raise EngineError(
                f"--dimensions {wanted}: the server ignores it and gives {width} numbers: leave it "
                "out, or use a model that can be cut"
            )
        if self._width not in (None, width):
            raise EngineError(f"the servers give vectors of {self._width} and of {width} numbers")
        self._width, self._is_unit = width, abs(length_of(values) - 1) < _CLOSE
        if self._ask.normalize is False and self._is_unit:
            raise EngineError("--no-normalize: the server gives vectors of length 1 all the same")

    def pooling(self) -> Pooling | None:
        """See `asks.Asks`."""
        if self._width is None:
            return self._known
        sources = dict.fromkeys(("width", "normalized"), _TOLD)
        return Pooling("vector", normalized=self._is_unit, width=self._width, sources=sources)
