"""The examples of a job: rows with their answers, shown before each row as turns of the chat.

They are rendered by the job's own template, so that they read as the rows do. All rows have the
same ones, right after the system prompt: a prefix that is computed once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from llmbatch.core import exact_json, units
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import Message
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.values import says_something, text_of
from llmbatch.pipeline.tasks.base import Task

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Examples:
    """`rows`: JSON objects without the answers; `answers`: their texts; `columns`: those that each
    row has; `name`: of their file, for messages."""

    rows: tuple[str, ...]
    answers: tuple[str, ...]
    columns: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, spec: JobSpec) -> Self | None:
        """Those of a job, if it has some. Raises UsageError where one has no answer."""
        if not spec.examples:
            return None
        name = spec.template_files.get("examples", "examples")
        column = spec.example_answer or spec.response_column
        rows = [exact_json.parse_record(row) for row in spec.examples]
        known = list(dict.fromkeys(chain.from_iterable(rows)))
        if column not in known:
            raise UsageError(
                f"{name}: no column {column!r} with the answers{nearest(column, known)}; name it "
                f"with --example-answer COLUMN (columns: {', '.join(known[:20])})"
            )
        answers = [
            _answer(f"{name}, example {number}", column, row.pop(column, None))
            for number, row in enumerate(rows, 1)
        ]
        shared = [name for name in known if all(name in row for row in rows)]
        texts = map(exact_json.dump_record, rows)
        return cls(tuple(texts), tuple(answers), tuple(shared), name)

    def check(self, task: Task) -> None:
        """Raise UsageError for an answer that the job itself would not accept."""
        if task.ask is not None:
            for number, answer in enumerate(self.answers, 1):
                if answer not in task.ask.labels:
                    labels = ", ".join(task.ask.labels[:_SHOWN])
                    raise self._unfit(number, f"{answer[:80]!r} is none of the labels ({labels})")
            return
        with task.check() as judge:
            for number, answer in enumerate(self.answers, 1):
                if (reason := judge(answer).reason) is not None:
                    raise self._unfit(number, reason)

    def _unfit(self, number: int, reason: str) -> UsageError:
        return UsageError(
            f"{self.name}, example {number}: its answer is not of the job's form: {reason}"
        )

    def turns(self, prompts: Iterable[Sequence[Message] | Exception]) -> list[Message]:
        """The turns of all examples, given the messages that the job's template makes of their
        rows. Raises UsageError for one of which it makes none."""
        made: list[Message] = []
        for number, (asked, answer) in enumerate(zip(prompts, self.answers, strict=True), 1):
            if isinstance(asked, Exception):
                raise UsageError(f"{self.name}, example {number}: {asked}")
            made += [*asked, Message("assistant", answer)]
        return made

    def notices(self, columns: Sequence[str], *, writes_record: bool) -> list[str]:
        """A line for the user if the rows' records have other columns than those of examples."""
        lacking = [name for name in columns if name not in self.columns]
        if not (writes_record and lacking):
            return []
        shown = ", ".join(lacking[:_SHOWN])
        return [
            f"{self.name} lacks {units.count(len(lacking), 'column')} that {{{{ record }}}} writes "
            f"of the rows: {shown}"
        ]


def _answer(where: str, column: str, value: Any) -> str:
    if not says_something(value):
        raise UsageError(f"{where}: has no answer in column {column!r}")
    return text_of(value)
