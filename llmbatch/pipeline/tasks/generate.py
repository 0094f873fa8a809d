"""The task of generating text: the answer to a chat, free or held to a constraint."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmbatch.constraints import intake
from llmbatch.constraints.check import make_judge
from llmbatch.constraints.column_types import columns_of
from llmbatch.constraints.json_check import Judge
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.pooling import KnownPooling, not_known
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import retry
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.pipeline.tasks.bounded_check import BoundedCheck

NAME = "generate"
_NAMED = 8  # properties in a notice
# One object for all requests that are sent alike: engines cache by it.
_sampling_for = lru_cache(maxsize=256)(retry.sampling_for)


@dataclass(frozen=True, slots=True)
class Generate:
    """See `base.Task`."""

    sampling: Sampling
    form: Constraint | None
    schema: Mapping[str, Any] | None
    schema_notices: tuple[str, ...] = ()
    only_checked: bool = False
    reasons: bool = False
    keeps_cut: bool = False
    ask: None = None
    name: str = NAME
    sections: tuple[str, ...] = ("sampling", "answer", "template")

    @property
    def constraint(self) -> Constraint | None:
        return None if self.only_checked else self.form

    @property
    def columns(self) -> AnswerColumns:
        if self.schema is None:
            return AnswerColumns("text", {}, reasons=self.reasons)
        found = columns_of(self.schema)
        return AnswerColumns(
            found.whole, found.parts, is_json=True, has_rest=found.has_rest, reasons=self.reasons
        )

    def body(self, data: str) -> Mapping[str, Any] | None:
        return None

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        sampling = _sampling_for(self.sampling, tries)
        return Request(key, tuple(messages), sampling, self.constraint, body)

    def require_valid(self) -> None:
        make_judge(self.form)
        if self.keeps_cut and self.form is not None:
            raise UsageError(
                "on_truncated: keep is for free text: an answer that was cut does not keep its "
                f"form ({self.form.kind}); leave it out, and raise max_tokens"
            )

    def notices(self) -> list[str]:
        return [*self.schema_notices, *self._emptiness()]

    def _emptiness(self) -> list[str]:
        names = list(self.columns.parts)
        if not names or make_judge(self.form)("{}").reason is not None:
            return []
        return [
            f"{{}} is a full answer: the schema requires none of {_listed(names)}; "
            "name under `required` what every answer must have"
        ]

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        return BoundedCheck(self.form)


def make(spec: JobSpec) -> Generate:
    """The task of a job. A schema that an earlier version took and this one refuses stays as it is
    written; `require_valid` tells."""
    answer, schema, notices = spec.answer, spec.answer.json_schema, tuple[str, ...]()
    form = answer.to_constraint()
    if schema is not None:
        try:
            taken = intake.take(schema)
            form, schema = Constraint("json", taken.text), taken.schema
            notices = taken.notices
        except UsageError:
            pass
    return Generate(
        replace(spec.sampling.to_sampling(), repetition=spec.run.most_repetitions),
        form,
        schema,
        notices,
        only_checked=answer.constrain == "check",
        reasons=spec.reasons,
        keeps_cut=spec.run.keeps_cut,
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
