"""The task of generating text: the answer to a chat, free or held to a constraint."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llmbatch.constraints.check import Check, make_check
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import retry
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.pipeline.tasks.bounded_check import BoundedCheck

NAME = "generate"
_COLUMN_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
# One object for all requests that are sent alike: engines cache by it.
_sampling_for = lru_cache(maxsize=256)(retry.sampling_for)


@dataclass(frozen=True, slots=True)
class Generate:
    """See `base.Task`."""

    sampling: Sampling
    constraint: Constraint | None
    schema: Mapping[str, Any] | None
    name: str = NAME
    sections: tuple[str, ...] = ("sampling", "answer")

    @property
    def columns(self) -> AnswerColumns:
        return AnswerColumns("text" if self.schema is None else "json", _properties(self.schema))

    def body(self, data: str) -> Mapping[str, Any] | None:
        return None

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        sampling = _sampling_for(self.sampling, tries)
        return Request(key, tuple(messages), sampling, self.constraint, body)

    def require_valid(self) -> None:
        make_check(self.constraint)

    def check(self) -> AbstractContextManager[Check]:
        return BoundedCheck(self.constraint)


def make(spec: JobSpec) -> Generate:
    """The task of a job."""
    answer = spec.answer
    return Generate(spec.sampling.to_sampling(), answer.to_constraint(), answer.json_schema)


def _properties(schema: Mapping[str, Any] | None) -> dict[str, str]:
    """The column types of a schema's top-level properties; empty if it is not an object's."""
    declared = (schema or {}).get("properties", {})
    return {name: _column_type(part) for name, part in declared.items()}


def _column_type(part: Any) -> str:
    declared = part.get("type") if isinstance(part, dict) else None
    if declared is None and isinstance(part, dict) and "enum" in part:
        return "text" if all(isinstance(item, str) for item in part["enum"]) else "json"
    names = [declared] if isinstance(declared, str) else list(declared or [])
    kinds = [name for name in names if name != "null"]
    # In old drafts of JSON Schema a type may be a schema.
    simple = len(kinds) == 1 and isinstance(kinds[0], str)
    return _COLUMN_TYPES.get(kinds[0], "json") if simple else "json"
