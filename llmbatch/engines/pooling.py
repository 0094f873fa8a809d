"""The way in which an engine makes numbers of a text: how it pools, and what says so."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from llmbatch.engines.base import Engine

Method = Literal["cls", "mean", "last"]
Output = Literal["vector", "cosine", "sigmoid", "softmax", "raw"]

_METHODS = {"cls": "the first token", "mean": "the mean of all tokens", "last": "the last token"}
_OUTPUTS = {
    "cosine": "cosine of two vectors",
    "sigmoid": "sigmoid of the model's number, from 0 to 1",
    "softmax": "probabilities that add up to 1 (softmax)",
    "raw": "raw: the model's number as it is",
}

_INDEPENDENT = "probabilities that are independent of each other (sigmoid)"


@dataclass(frozen=True, slots=True)
class Pooling:
    """`output`: what the numbers are; `method`: how the vectors of the tokens become one (None: by
    the model's own head); `normalized`: True if vectors have length 1; `width`: how many numbers
    one answer has; `max_length`: tokens of a text at most, special tokens included, None where that
    is not known before the start; `prefixes`: what is put before a text, by the role of its
    message; `labels`: those of the numbers of a classification head; `lower_case`: True if texts
    are written small; `dtype`: the type in which the model computes, None where that is not known
    before the start. `sources`: the file, option or rule that each of these comes from, by name.
    """

    output: Output
    method: Method | None = None
    normalized: bool = False
    width: int | None = None
    max_length: int | None = None
    prefixes: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    lower_case: bool = False
    dtype: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {**asdict(self), "labels": list(self.labels)}


def line(stored: Mapping[str, Any]) -> str:
    """The result of `Pooling.to_json` for a person to read."""
    sources = stored.get("sources") or {}

    def said(text: str, name: str) -> str:
        return f"{text} ({sources[name]})" if name in sources else text

    parts = []
    width, output = stored.get("width"), stored.get("output")
    if output == "vector" and width:
        parts.append(said(f"{width} numbers", "width"))
    elif output in _OUTPUTS:
        is_several = output != "cosine" and (width or 1) > 1
        text = _INDEPENDENT if is_several and output == "sigmoid" else _OUTPUTS[output]
        parts.append((f"{width} numbers, " if is_several else "") + said(text, "output"))
    if stored.get("method") in _METHODS:
        parts.append(said(_METHODS[stored["method"]], "method"))
    if output == "vector":
        length = "of length 1" if stored.get("normalized") else "of any length"
        parts.append(said(length, "normalized"))
    for role, prefix in sorted((stored.get("prefixes") or {}).items()):
        parts.append(said(f"before the {role}: {prefix!r}", "prefixes"))
    if stored.get("dtype"):
        parts.append(said(f"computed in {stored['dtype']}", "dtype"))
    if stored.get("max_length"):
        parts.append(said(f"texts of {stored['max_length']:,} tokens at most", "max_length"))
    return "; ".join(parts)


@runtime_checkable
class KnowsPooling(Protocol):
    """An engine that makes numbers of texts, and knows before it is started how. Optional.
    `describe` of the started engine has it as `Pooling.to_json` under `pooling`."""

    def pooling(self) -> Pooling | None:
        """The pooling for the ask of its configuration; None if that is not for numbers. Raises
        UsageError, as `check` does, where the model cannot be asked for that, or nothing says how.
        Nothing is loaded."""
        ...


KnownPooling = Callable[[], Pooling | None]
"""Gives the pooling of an engine as far as it is known by now."""


def not_known() -> Pooling | None:
    """The pooling of an engine that does not say it."""
    return None


def pooling_of(engine: Engine) -> Pooling | None:
    """The pooling of an engine; None where it does not say. Raises UsageError as it does."""
    return engine.pooling() if isinstance(engine, KnowsPooling) else None
