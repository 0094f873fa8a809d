"""The task of scoring: one number that says how well two texts fit."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from llmbatch.constraints.json_check import Judge, Judgement
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.records import Ask
from llmbatch.engines.pooling import KnownPooling, not_known
from llmbatch.job.embed import EmbedSpec
from llmbatch.job.score import ScoreSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import numbers, pooled
from llmbatch.pipeline.tasks.asked import Asked
from llmbatch.pipeline.tasks.base import AnswerColumns

NAME = "score"
KIND = "score_kind"
"""The column that says what a score is: the model's number after a sigmoid, that number itself
("raw"), or the cosine of two vectors; of two models of one family the one may give this and the
other that."""
_KINDS = ("sigmoid", "raw", "cosine")


@dataclass(frozen=True, slots=True)
class Score(Asked):
    """See `base.Task`."""

    ask: Ask
    pair: ScoreSpec
    texts: EmbedSpec
    has_prompt: bool
    columns: AnswerColumns
    name: str = NAME
    sections: tuple[str, ...] = ("score", pooled.SECTION)

    def require_valid(self) -> None:
        pooled.require_shared(self.texts, NAME)
        given = {"--query": self.pair.query, "--document": self.pair.document}
        if missing := [flag for flag, text in given.items() if text is None]:
            raise UsageError(
                f"--task score: {' and '.join(missing)} {'are' if missing[1:] else 'is'} missing: "
                "the templates of the two texts of a pair, such as --query '{{ question }}' "
                "--document '{{ passage }}'"
            )
        if self.has_prompt:
            raise UsageError(
                "--task score: a pair has two templates, --query and --document, and neither a "
                "prompt nor a system prompt: leave these out"
            )

    def notices(self) -> list[str]:
        top, column = self.pair.top, self.pair.group_by
        if top is None:
            return []
        best = "the best one" if top == 1 else f"the best {top:,}"
        of = "the same query" if column is None else f"the same {column}"
        return [f"all rows are scored, and {best} of each group of rows with {of} written (--top)"]

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        def judge(text: str) -> Judgement:
            known = pooling()
            kind = known.output if known is not None and known.output in _KINDS else None
            try:
                found = numbers.read(text)
                (value,) = found.values
            except ValueError as error:
                return Judgement(f"is no score: {error}", text)
            answer = {"response": value, KIND: kind}
            if pooled.CUT in self.columns.fields:
                answer[pooled.CUT] = found.cut
            return Judgement(None, json_text(answer))

        return nullcontext(judge)


def make(spec: JobSpec) -> Score:
    """The task of a job."""
    has_prompt = spec.prompt is not None or spec.system is not None
    ask = pooled.ask_of("score", spec)
    fields = {"response": "number", KIND: "text", **pooled.fields(ask)}
    columns = AnswerColumns("number", {}, fields=fields)
    return Score(ask, spec.score, spec.embed, has_prompt, columns)
