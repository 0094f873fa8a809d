"""The form in which the answers of a job are stored and written, as far as its spec says it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from llmbatch.constraints import intake
from llmbatch.constraints.column_types import columns_of
from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec

RESPONSE = "response"
"""The field of an answer that stands in the job's column of the answer."""
_OVERFLOWS = ("truncate", "split")


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """`kind`: what an answer is, "text", "json", "label", "score" or "vector"; None: not known, as
    of a file alone. `column`: the output's column of the answer; `parts`: the types of the columns
    that a table spreads its properties over, by name; `labels`: all that an answer can be, none
    where it can be anything. `has_fields`: a stored answer is an object with the field `response`
    and others beside it. `votes`: of several samples one wins; else an answer is the list of all.
    """

    kind: str | None = None
    column: str = RESPONSE
    parts: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    has_fields: bool = False
    votes: bool = False

    @property
    def is_json(self) -> bool:
        """True if an answer is JSON of the job's own schema."""
        return self.kind == "json"


def form_of(spec: JobSpec) -> AnswerForm:
    """The form of a job's answers."""
    column, votes = spec.response_column, spec.sampling.vote
    if spec.is_batch:
        return AnswerForm("text", column)
    if spec.task == "embed":
        return AnswerForm("vector", column, has_fields=spec.embed.overflow in _OVERFLOWS)
    if spec.task != "generate":
        kind = "label" if spec.task == "classify" else "score"
        return AnswerForm(kind, column, labels=spec.classify.labels, has_fields=True)
    if spec.answer.json_schema is not None:
        return AnswerForm("json", column, _parts(spec), votes=votes)
    choice = spec.answer.choice or ()
    return AnswerForm("label" if choice else "text", column, labels=choice, votes=votes)


def _parts(spec: JobSpec) -> Mapping[str, str]:
    schema = spec.answer.json_schema
    if schema is None:
        return {}
    with suppress(UsageError):  # one that an earlier version took stays as it is written
        schema = intake.take(schema).schema
    return columns_of(schema).parts
