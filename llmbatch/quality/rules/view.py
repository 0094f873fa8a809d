"""The columns that rules see: those of the row by their names, its `response`, and how it came.

- A column of the input has the type that all of its values have: integer, number or boolean, and
  text in any other case; those of a CSV file are text. One that is called `response` itself is
  `input_response`.
- `response` is the answer: a text; a number for a score; of a JSON schema a struct with the fields
  of the schema, lists and structs in it likewise; text that holds JSON where the schema leaves the
  kind open. Of a classification it is the label, beside `confidence` and the other columns.
- Numbers are DECIMAL(38, 9), exact to nine places after the point; integers are BIGINT.
- `finish_reason`, `attempts` (the number of this try), `prompt_tokens`, `output_tokens` and
  `reasoning` say how it came.

Where the input has a column of one of the other names, that of the answer is called
`response_NAME`, as in the output.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from llmbatch.constraints.answer_types import AnswerType
from llmbatch.core.errors import UsageError, nearest
from llmbatch.store import rule_syntax
from llmbatch.store.rule_syntax import ParsedRule

RESPONSE = "response"
INPUT_RESPONSE = "input_response"
META: Mapping[str, str] = {
    "finish_reason": "text",
    "attempts": "integer",
    "prompt_tokens": "integer",
    "output_tokens": "integer",
    "reasoning": "text",
}
"""The columns that say how an answer came, and their types."""
DECIMALS = 9
DIGITS = 38
_LISTED = 20
_ARROW = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.decimal128(DIGITS, DECIMALS),
    "boolean": pa.bool_(),
}


class CheckedAnswer(NamedTuple):
    """An answer and its row. `data`: the record of the input (JSON); None where no rule names a
    column of it."""

    data: str | None
    answer: str
    finish_reason: str | None = None
    attempts: int = 1
    prompt_tokens: int = 0
    output_tokens: int = 0
    reasoning: str | None = None


class SeenColumn(NamedTuple):
    """A column that a rule sees: its name there and in its source, and its type."""

    name: str
    source: str
    kind: str


@dataclass(frozen=True, slots=True)
class RowView:
    """The columns that the rules of a job name. `response`: the type of the answer; `fields`: of a
    task whose answers are several columns, those beside the response; `form`: of an answer: the
    "text" of the response, "json" to be read as its type, or "fields", an object of columns."""

    inputs: tuple[SeenColumn, ...]
    response: AnswerType
    fields: tuple[SeenColumn, ...]
    meta: tuple[SeenColumn, ...]
    form: str

    def schema(self) -> pa.Schema:
        """The columns of the table that the rules are run over."""
        seen = [(each.name, _ARROW[each.kind]) for each in self.inputs]
        seen.append((RESPONSE, arrow_type(self.response)))
        seen += [(each.name, _ARROW[each.kind]) for each in (*self.fields, *self.meta)]
        return pa.schema(seen)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "RowView":
        columns = {
            name: tuple(SeenColumn(*each) for each in table[name])
            for name in ("inputs", "fields", "meta")
        }
        return cls(response=table["response"], form=table["form"], **columns)


def arrow_type(kind: AnswerType) -> pa.DataType:
    """The Arrow type of values of an answer."""
    if isinstance(kind, str):
        return _ARROW[kind]
    if "list" in kind:
        return pa.list_(arrow_type(kind["list"]))
    return pa.struct([(name, arrow_type(inner)) for name, inner in kind["struct"].items()])


def make(
    rules: Sequence[tuple[str, ParsedRule]],
    columns: Sequence[str],
    kinds: Callable[[Sequence[str]], Mapping[str, str]],
    response: AnswerType,
    fields: Mapping[str, str],
    *,
    is_json: bool,
) -> RowView:
    """The view of rules with these names over an input with these columns. `kinds`: the types of
    some of them that are not text; `response`, `fields`: see RowView; `is_json`: True if an
    answer is JSON. Raises UsageError for a name that is no column."""
    known = _known(columns, fields)
    named = [_resolved(rule, name, known) for rule, one in rules for name in one.names]
    named += [known[name] for _, one in rules for name in one.perhaps if name in known]
    used = dict.fromkeys(named)
    inputs = [each for each in used if each.kind == _OF_INPUT]
    _require_apart(inputs)
    types = kinds([each.source for each in inputs]) if inputs else {}
    return RowView(
        tuple(each._replace(kind=types.get(each.source, "text")) for each in inputs),
        response,
        tuple(each for each in used if each.source in fields and each.name != RESPONSE),
        tuple(each for each in used if each.source in META and each.kind != _OF_INPUT),
        "fields" if fields else "json" if is_json and response != "json" else "text",
    )


_OF_INPUT = "input"


def _known(columns: Sequence[str], fields: Mapping[str, str]) -> dict[str, SeenColumn]:
    """The columns by the names that a rule may use, exact ones first."""
    of_input = [
        SeenColumn(INPUT_RESPONSE if name.casefold() == RESPONSE else name, name, _OF_INPUT)
        for name in columns
    ]
    taken = {each.name.casefold() for each in of_input}
    beside = [
        SeenColumn(f"response_{name}" if name.casefold() in taken else name, name, kind)
        for name, kind in {**META, **fields}.items()
        if name != RESPONSE
    ]
    every = [*of_input, SeenColumn(RESPONSE, RESPONSE, fields.get(RESPONSE, "text")), *beside]
    known = {each.name: each for each in every}
    for each in every:
        known.setdefault(each.name.casefold(), each)
    return known


def _resolved(rule: str, name: str, known: Mapping[str, SeenColumn]) -> SeenColumn:
    found = known.get(name) or known.get(name.casefold())
    if found is not None:
        return found
    if name.lower() in rule_syntax.BARE:
        raise UsageError(
            f"check {rule}: {name} is not allowed: a rule reads nothing but the row, and says the "
            "same each time"
        )
    names = list(dict.fromkeys(each.name for each in known.values()))
    listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    raise UsageError(f"check {rule}: no column {name!r}{nearest(name, names)}; it sees: {listed}")


def _require_apart(inputs: Sequence[SeenColumn]) -> None:
    """Raise UsageError for two columns that are one to SQL."""
    seen: dict[str, str] = {}
    for each in inputs:
        other = seen.setdefault(each.name.casefold(), each.name)
        if other != each.name:
            raise UsageError(
                f"check: the columns {other!r} and {each.name!r} are one to SQL: name one only"
            )
