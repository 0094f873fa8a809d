"""The task of classifying with a model that has a classification head: the labels are its own."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.records import Ask
from llmbatch.engines.pooling import KnownPooling, not_known
from llmbatch.job.embed import EmbedSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import classified, numbers, pooled
from llmbatch.pipeline.tasks.asked import Asked
from llmbatch.pipeline.tasks.base import AnswerColumns

NAME = "classify"
PROBABILITIES = "probabilities"
"""The column with the probability of every label, the likeliest first: a JSON object. Those of a
softmax add up to 1; independent ones, of a model whose texts may have several labels, do not."""


@dataclass(frozen=True, slots=True)
class Heads(Asked):
    """See `base.Task`."""

    ask: Ask
    texts: EmbedSpec
    has_system: bool
    columns: AnswerColumns
    name: str = NAME
    sections: tuple[str, ...] = (pooled.SECTION,)

    def require_valid(self) -> None:
        pooled.require_shared(self.texts, NAME)
        if self.has_system:
            raise UsageError(
                "--system: a classification head takes one text, the prompt: leave it out"
            )

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        def judge(text: str) -> Judgement:
            known = pooling()
            labels = known.labels if known is not None else ()
            try:
                values, cut = numbers.read(text)
            except ValueError as error:
                return Judgement(f"holds no probabilities: {error}", text)
            named = labels or tuple(f"LABEL_{place}" for place in range(len(values)))
            if not values or len(values) != len(named):
                return Judgement(f"has {len(values)} numbers for {len(named)} labels", text)
            answer = _answer(named, values)
            if pooled.CUT in self.columns.fields:
                answer[pooled.CUT] = cut
            return Judgement(None, json_text(answer))

        return nullcontext(judge)


def _answer(labels: Sequence[str], values: Sequence[float]) -> dict[str, Any]:
    every = {labels[place]: values[place] for place in classified.ranked(values)}
    return classified.fields(labels, values, None) | {PROBABILITIES: every}


def make(spec: JobSpec) -> Heads:
    """The task of a job without labels of its own."""
    ask = pooled.ask_of("heads", spec)
    fields = {**classified.FIELDS, PROBABILITIES: "json", **pooled.fields(ask)}
    columns = AnswerColumns("text", {}, fields=fields)
    return Heads(ask, spec.embed, spec.system is not None, columns)
