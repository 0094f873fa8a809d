"""The answers of a job as a report shows them: examples, shares, and the values of labels."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from llmbatch.core import vectors
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import registry
from llmbatch.store import answers
from llmbatch.store.answers import AnswerExample, ValueCount
from llmbatch.store.database import Database

# Values of labels that are shown one by one.
_MOST_VALUES = 20
# Free text counts as labels if no more texts than these differ, each on the mean in two rows.
_FEW_TEXTS = 12
# Three numbers of a stored vector, alone or in an object.
_VECTOR = re.compile(r'(?:\{"response": ?")?([A-Za-z0-9+/]{16})')
# Members of an answer whose values are looked at.
_MOST_MEMBERS = 30


@dataclass(frozen=True, slots=True)
class LongestAnswer:
    """The longest answer, and the first row that has it."""

    characters: int
    id: str
    line: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """The values of a member of the answers, or of whole answers (`member` is None).

    `kind`: "labels", with the values that most rows have in `values`, those that a constraint
    allows and no row has among them, and `other_rows` with further ones; or "numbers", with the
    least, the median, the mean and the largest. `rows` have a value, `missing_rows` none.
    """

    member: str | None
    kind: Literal["labels", "numbers"]
    rows: int
    missing_rows: int
    values: list[ValueCount]
    other_rows: int
    least: float | None
    median: float | None
    mean: float | None
    largest: float | None


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """The answers of the present input's rows, in which each of several `samples` of a row counts
    as one. `rows` were looked at: all that are answered, or
    (`is_sample`) those of every n-th request where there are more than a hundred thousand.
    `distinct`: answers that differ; `most_common`: the one that most rows have; `empty_rows`:
    those whose answer is blank."""

    rows: int
    samples: int
    is_sample: bool
    distinct: int
    empty_rows: int
    most_common: ValueCount
    longest: LongestAnswer
    examples: list[AnswerExample]
    distributions: list[Distribution]


def build(db: Database, spec: JobSpec, requests: int, samples: int) -> AnswerFigures | None:
    """The figures of the answers to a plan of so many requests, and so many `samples` of a row at
    most; None if there is none yet."""
    seen = answers.look_at(db, requests)
    common = answers.most_common(db)
    if common is None or seen.longest_position is None:
        return None
    longest = answers.of_request(db, seen.longest_position)
    return AnswerFigures(
        rows=seen.rows,
        samples=samples,
        is_sample=requests > answers.MOST_REQUESTS,
        distinct=seen.distinct_answers,
        empty_rows=seen.empty_rows,
        most_common=replace(common, value=shown(common.value, spec)),
        longest=LongestAnswer(seen.longest or 0, longest.id, longest.line),
        examples=[
            replace(example, answer=shown(example.answer, spec))
            for example in answers.first_middle_last(db)
        ],
        distributions=list(_distributions(db, spec)),
    )


def shown(text: str, spec: JobSpec) -> str:
    """An answer (long ones are cut) as a person reads it: of a vector its first numbers."""
    found = _VECTOR.match(text) if spec.task == "embed" else None
    if found is None:
        return text
    first = vectors.read(found[1]).tolist()
    return f"[{', '.join(f'{number:.4f}' for number in first)}, ...]"


def _distributions(db: Database, spec: JobSpec) -> Iterator[Distribution]:
    columns = registry.make(spec).columns
    parts = columns.fields or columns.parts
    if not parts:
        allowed = spec.answer.choice
        if found := _of_member(db, None, columns.whole, allowed):
            yield found
        return
    members = list(parts.items())[:_MOST_MEMBERS]
    for name, kind in members:
        if found := _of_member(db, name, kind, enum_of(spec.answer.json_schema, name)):
            yield found


def enum_of(schema: Mapping[str, Any] | None, member: str) -> list[str] | None:
    """The texts that a schema lists for a member; None if it lists none, or other values."""
    properties = (schema or {}).get("properties")
    declared = properties.get(member) if isinstance(properties, dict) else None
    values = declared.get("enum") if isinstance(declared, dict) else None
    if not isinstance(values, list):
        return None
    return [value for value in values if isinstance(value, str)] or None


def _of_member(db: Database, member: str | None, kind: str, allowed: Any) -> Distribution | None:
    """The distribution of a member whose column has this type; None for free text."""
    if kind == "json" or vectors.KIND.match(kind):
        return None
    seen = answers.take_values(db, member)
    if member is not None and not seen.rows and not allowed:
        return None
    if kind in ("integer", "number") and not seen.no_numbers and seen.rows:
        measured = answers.measure_values(db)
        return Distribution(
            member, "numbers", seen.rows, seen.missing, [], 0,
            measured.least, measured.median, measured.mean, measured.largest,
        )  # fmt: skip
    is_few = seen.kinds <= _FEW_TEXTS and 2 * seen.kinds <= seen.rows
    if not (allowed or kind == "boolean" or is_few):
        return None
    values = answers.count_values(db, _MOST_VALUES)
    others = seen.rows - sum(value.rows for value in values)
    known = {value.value for value in values}
    if len(values) == seen.kinds:
        unseen = [text for text in allowed or () if text not in known]
        values += [ValueCount(text, 0) for text in unseen[: _MOST_VALUES - len(values)]]
    return Distribution(
        member, "labels", seen.rows, seen.missing, values, others, None, None, None, None
    )
