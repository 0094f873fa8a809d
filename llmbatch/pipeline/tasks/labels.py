"""The task of classifying with a generative model: labels are measured, and none is written."""

import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.records import Ask
from llmbatch.engines.pooling import KnownPooling, not_known
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import classified
from llmbatch.pipeline.tasks.asked import Asked
from llmbatch.pipeline.tasks.base import AnswerColumns

NAME = "classify"
_DIGITS = 6
"""Of a probability: the arithmetic of the model has no more."""


@dataclass(frozen=True, slots=True)
class Labels(Asked):
    """See `base.Task`."""

    ask: Ask
    columns: AnswerColumns
    name: str = NAME
    sections: tuple[str, ...] = ("classify", "template")

    def require_valid(self) -> None:
        if len(self.ask.labels) < 2:
            raise UsageError("--label: give at least two labels, or a file of them by --labels")

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        return nullcontext(self._judge)

    def _judge(self, text: str) -> Judgement:
        try:
            found = [float(value) for value in json.loads(text)]
        except (ValueError, TypeError):
            return Judgement("the engine's answer holds no probabilities", text)
        if len(found) != len(self.ask.labels) or not all(map(math.isfinite, found)):
            return Judgement("the engine's answer has no probability for some label", text)
        return Judgement(None, json_text(answer(self.ask.labels, found)))


def answer(labels: Sequence[str], found: Sequence[float]) -> dict[str, Any]:
    """The values of the columns for labels of these log probabilities."""
    highest = max(found)
    shares = [math.exp(value - highest) for value in found]
    total = sum(shares)
    mass = min(1.0, math.exp(highest) * total)
    # Ranked before they are rounded, so that the likelier one is always the first.
    values = classified.fields(labels, [share / total for share in shares], mass)
    return {
        name: _rounded(value) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def make(spec: JobSpec) -> Labels:
    """The task of a job with labels of its own."""
    given = spec.classify
    ask = Ask("labels", given.labels, whole=given.label_tokens == "all")
    return Labels(ask, AnswerColumns("text", {}, fields=classified.FIELDS))
