"""The task of embedding: the vector of a text."""

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core import vectors
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Ask
from llmbatch.engines.pooling import KnownPooling, Pooling, not_known
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.asked import Asked
from llmbatch.pipeline.tasks.base import AnswerColumns

NAME = "embed"
_OF_OVERFLOW = {"truncate": "cut", "split": "parts"}
"""The column beside the vector that says what became of a text that is too long."""
_CLOSE = 1e-3
"""How far the length of a vector may be from 1: numbers are rounded to float32."""


@dataclass(frozen=True, slots=True)
class Embed(Asked):
    """See `base.Task`."""

    ask: Ask
    dtype: str = "float32"
    has_system: bool = False
    name: str = NAME
    sections: tuple[str, ...] = (NAME,)

    @property
    def columns(self) -> AnswerColumns:
        kind = f"{self.dtype}[{self.ask.dimensions or ''}]"
        beside = _OF_OVERFLOW.get(self.ask.overflow)
        fields = {} if beside is None else {"response": kind, beside: "integer"}
        return AnswerColumns(kind, {}, fields=fields)

    def require_valid(self) -> None:
        if self.has_system:
            raise UsageError("--system: a vector is made of one text, the prompt: leave it out")

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        return nullcontext(VectorCheck(self.ask, pooling))


class VectorCheck:
    """The check of vectors: numbers all of them, of the width and the length that the plan and the
    report say. Where a text may overflow, the answer is kept as the columns have it."""

    def __init__(self, ask: Ask, pooling: KnownPooling = not_known) -> None:
        """`pooling`: as the engine says it; without it all vectors must have the same width."""
        self._ask = ask
        self._pooling = pooling
        self._width = ask.dimensions

    @cached_property
    def _known(self) -> Pooling | None:
        return self._pooling()

    def _is_unit(self) -> bool:
        of_model = self._known is not None and self._known.normalized
        return of_model if self._ask.normalize is None else self._ask.normalize

    def __call__(self, text: str) -> Judgement:
        beside = _OF_OVERFLOW.get(self._ask.overflow)
        if beside is None:
            return Judgement(self._fault(text), text)
        try:
            given = json.loads(text)
            vector, said = str(given["vector"]), int(given[beside])
        except (ValueError, KeyError, TypeError) as error:
            return Judgement(f"no vector with {beside}: {error!r}", text)
        kept = json.dumps({"response": vector, beside: said})
        return Judgement(self._fault(vector), kept)

    def _fault(self, text: str) -> str | None:
        try:
            vector = vectors.read(text)
        except ValueError as error:
            return str(error)
        if self._width is None:
            self._width = (self._known and self._known.width) or len(vector)
        if len(vector) != self._width:
            return f"the vector has {len(vector)} numbers, not {self._width}"
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if not np.isfinite(length):
            return "the vector has numbers that are not finite"
        if not length:
            return "the vector is zero"
        if self._is_unit() and abs(length - 1) > _CLOSE:
            return f"the vector has the length {length:.6g}, not 1"
        return None


def make(spec: JobSpec) -> Embed:
    """The task of a job."""
    return Embed(spec.embed.to_ask(), spec.embed.vector_dtype, spec.system is not None)
