"""The rules of a job, made ready for the columns of its input and the answers of its task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.constraints import answer_types
from llmbatch.constraints.answer_types import AnswerType
from llmbatch.core.errors import UsageError
from llmbatch.job.checks import CheckRule
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import chosen_rows
from llmbatch.pipeline.tasks.base import Task
from llmbatch.quality.rules import view
from llmbatch.quality.rules.view import RowView
from llmbatch.store import rule_query, snapshots
from llmbatch.store.database import Database

FLAG = "flag"


@dataclass(frozen=True, slots=True)
class JobRules:
    """Some rules of a job, and the columns that they see."""

    rules: tuple[CheckRule, ...]
    view: RowView

    @property
    def needs_rows(self) -> bool:
        """True if a rule names a column of the input: then the rows of a request may differ."""
        return bool(self.view.inputs)

    def settings(self) -> dict[str, Any]:
        """The settings of their judge (see `quality.rules.judge`)."""
        return {"view": self.view.to_json(), "rules": [each.rule for each in self.rules]}


def acting(rules: Sequence[CheckRule]) -> list[CheckRule]:
    """The rules by which an answer is accepted or not."""
    return [each for each in rules if each.on_fail != FLAG]


def flagging(rules: Sequence[CheckRule]) -> list[CheckRule]:
    """The rules that only flag rows."""
    return [each for each in rules if each.on_fail == FLAG]


def decisive(rule: CheckRule) -> tuple[str, str, str]:
    """The part of a rule that decides on an answer."""
    return rule.name, rule.rule, rule.on_fail


def require(db: Database, spec: JobSpec, task: Task) -> None:
    """Raise UsageError for a rule that cannot be used with the rows in `db` and the answers of the
    task."""
    make(db, spec.check, task)


def make(db: Database, rules: Sequence[CheckRule], task: Task) -> JobRules | None:
    """These rules for the rows in `db` and the answers of `task`; None where there are none. Raises
    UsageError for one that cannot be used."""
    if not rules:
        return None
    if task.name == "embed":
        raise UsageError("check: a vector is nothing that a rule can see: leave the rules out")
    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    named = [(each.name, each.rule) for each in rules]
    parsed = rule_query.read(named)
    answer = task.columns
    seen = view.make(
        [(name, one) for (name, _), one in zip(named, parsed, strict=True)],
        columns,
        lambda names: _kinds(db, names),
        _response(task),
        answer.fields,
        is_json=answer.is_json,
    )
    rule_query.bind(named, seen.schema())
    return JobRules(tuple(rules), seen)


def _kinds(db: Database, names: Sequence[str]) -> Mapping[str, str]:
    """The types of the columns that are not text, by all of their values."""
    return chosen_rows.types_of(db, names)


def _response(task: Task) -> AnswerType:
    """The type of the answers of a task."""
    if task.columns.fields:
        return str(task.columns.fields["response"])
    if not task.columns.is_json or task.form is None or task.form.kind != "json":
        return "text"
    return answer_types.type_of(json.loads(task.form.value))
