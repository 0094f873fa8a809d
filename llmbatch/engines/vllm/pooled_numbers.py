"""The numbers of an answer, made of what vLLM's pooler gives.

vLLM is asked for the pooled vector or the logits as they are. Cutting, normalising and the
activation of a score are done here, in float64, so that they are what the model's files say and not
what vLLM takes for a default.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmbatch.core.records import Ask
from llmbatch.engines.pooling import Pooling

Numbers = npt.NDArray[np.float64]


class WidthError(Exception):
    """The engine's numbers are not as many as the model's files say: all answers are wrong."""


def given(vector: Any) -> Numbers:
    """A tensor of vLLM as numbers."""
    numbers: Numbers = np.asarray(vector.detach().float().cpu().numpy(), np.float64).reshape(-1)
    return numbers


def embedding(pooling: Pooling, ask: Ask, vectors: Sequence[Numbers], own: Sequence[int]) -> str:
    """The text of the answer of a text's parts, which have so many tokens of their own."""
    vector = np.average(vectors, axis=0, weights=own) if len(vectors) > 1 else vectors[0]
    # Of a vector that is cut, more numbers are there than are wanted.
    wanted = pooling.width or len(vector)
    is_right = len(vector) == wanted if ask.dimensions is None else len(vector) >= wanted
    _require(is_right, len(vector), pooling)
    vector = vector[: ask.dimensions or len(vector)]
    normalized = pooling.normalized if ask.normalize is None else ask.normalize
    return encoded(_unit(vector) if normalized else vector)


def overflowing(text: str, ask: Ask, *, parts: int, left_out: int) -> str:
    """The text of an answer whose text may have been too long."""
    said = {"parts": parts} if ask.overflow == "split" else {"cut": left_out}
    return json.dumps({"vector": text} | said)


def score(pooling: Pooling, vectors: Sequence[Numbers]) -> str:
    """The text of the answer for a pair: of two vectors, or of one number."""
    if pooling.output == "cosine":
        first, second = (_unit(vector) for vector in vectors)
        return encoded(np.array([float(first @ second)]))
    return heads(pooling, vectors[0])


def heads(pooling: Pooling, logits: Numbers) -> str:
    """The text of the answer of a classification head."""
    _require(len(logits) == pooling.width, len(logits), pooling)
    if pooling.output == "sigmoid":
        return encoded(np.exp(-np.logaddexp(0, -logits)))
    if pooling.output == "softmax":
        raised = np.exp(logits - logits.max())
        return encoded(raised / raised.sum())
    return encoded(logits)


def encoded(numbers: Numbers) -> str:
    """Base64 of float32 numbers (little-endian)."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _unit(vector: Numbers) -> Numbers:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _require(is_right: bool, count: int, pooling: Pooling) -> None:
    if not is_right:
        raise WidthError(f"vLLM gave {count} numbers, the model's files say {pooling.width}")
