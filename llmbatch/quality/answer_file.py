"""The rows and answers of an output file, where a store is gone or another program has written it.

The columns of the answer are known by their names: the job's response column, or those that a table
spreads a JSON answer over, and the fixed names beside it. Where the input has a column of such a
name, the answer's has the prefix `response_`. All others are the input's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.batch_files import answers as batch_answers
from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import Record
from llmbatch.quality import table_file
from llmbatch.quality.answer_form import RESPONSE, AnswerForm
from llmbatch.quality.answers import ANSWERED, RowAnswer, value_of_json

_NUMBERS = ("confidence", "label_mass", "runner_up_confidence", "agreement", "cut", "parts", "rank")
_FIELDS = (*_NUMBERS, "runner_up", "probabilities", "score_kind", "votes", "reasoning")
_META = (
    "finish_reason",
    "attempts",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "wasted_prompt_tokens",
    "wasted_cached_tokens",
    "wasted_output_tokens",
    "reasoning_tokens",
    "request",
    "run",
    "flags",
)
_ERROR, _RAW = "error", "raw"
_UNTYPED = ("csv", "tsv", "xlsx")
"""Formats in which a number or a JSON value may be read as text."""


def of_file(
    path: Path, form: AnswerForm, *, id_column: str | None = None, table: str = "answers"
) -> Iterator[RowAnswer]:
    """The rows of an output of any format, in its order. `id_column`: of the input, names the rows
    (None: their places); `table`: of a database.

    Raises UsageError for a file that cannot be read, or that has no answer's column.
    """
    with table_file.opened(path, table) as file:
        names, columns = None, file.columns
        for row, record in enumerate(file.rows(), 1):
            values = exact_json.parse_record(record.data)
            if row == 1 and "custom_id" in values:
                form = AnswerForm("batch", form.column)
            if names is None or not names.fits(values):
                columns = list(dict.fromkeys([*columns, *values]))
                names = _names(path, columns, form, is_table=file.format_name != "jsonl")
            yield _row(row, record, values, names, form, file.format_name, id_column)


@dataclass(frozen=True, slots=True)
class _Names:
    """The columns of a file that are the answer's: `whole` the one of whole answers, if there is
    one; `parts` by property and `rest`, that of other properties; `fields` and `meta` by their
    own names."""

    whole: str | None
    parts: Mapping[str, str]
    rest: str | None
    fields: Mapping[str, str]
    meta: Mapping[str, str]
    error: str | None
    columns: frozenset[str]

    def fits(self, values: Mapping[str, Any]) -> bool:
        """True if a record has no column that was not looked at."""
        return values.keys() <= self.columns


def _names(path: Path, columns: list[str], form: AnswerForm, *, is_table: bool) -> _Names:
    known = frozenset(columns)
    whole = _in_file(form.column, known)
    spread = form.parts if is_table else {}
    parts = {name: found for name in spread if (found := _in_file(name, known))}
    if whole is None and not parts:
        raise UsageError(
            f"{path}: no column {form.column!r}{nearest(form.column, columns)}; columns: "
            f"{', '.join(columns[:20]) or 'none'}; name the one of the answer: --response-column"
        )
    return _Names(
        whole,
        parts,
        _in_file(f"{form.column}_rest", known) if parts else None,
        {name: found for name in _FIELDS if (found := _in_file(name, known))},
        {name: found for name in _META if (found := _in_file(name, known))},
        _in_file(_ERROR, known),
        known,
    )


def _in_file(name: str, columns: frozenset[str]) -> str | None:
    """The column that the answer's `name` has: with the prefix, where the input has the name."""
    prefixed = f"{RESPONSE}_{name}"
    return prefixed if prefixed in columns else name if name in columns else None


def _row(
    row: int,
    record: Record,
    values: dict[str, Any],
    names: _Names,
    form: AnswerForm,
    format_name: str,
    id_column: str | None,
) -> RowAnswer:
    whole = values.pop(names.whole, None) if names.whole else None
    rest = values.pop(names.rest, None) if names.rest else None
    parts = {name: values.pop(column, None) for name, column in names.parts.items()}
    fields = {name: values.pop(column, None) for name, column in names.fields.items()}
    meta = {name: values.pop(column, None) for name, column in names.meta.items()}
    error = values.pop(names.error, None) if names.error else None
    if form.kind == "batch":
        return _line(row, record, values)
    is_untyped = format_name in _UNTYPED
    made = RowAnswer(
        row=row,
        id=str(row) if id_column is None else exact_json.cell(values.get(id_column)),
        line=record.line,
        state=ANSWERED,
        data=exact_json.dump_record(values),
        fields={name: _number(name, value) for name, value in fields.items() if value is not None},
        meta=meta,
        request=meta.get("request"),
    )
    if error not in (None, ""):
        made.state, made.why = "failed", _why(error)
        return made
    if parts and whole in (None, ""):
        whole = _joined(parts, rest, form, is_untyped=is_untyped)
    if whole is None:
        made.state = "skipped"
        return made
    made.response = _whole(whole, form, is_untyped=is_untyped)
    made.text = exact_json.cell(whole)
    return made


def _joined(
    parts: Mapping[str, Any], rest: Any, form: AnswerForm, *, is_untyped: bool
) -> dict[str, Any] | None:
    """The answer that a table has spread over its columns; None for a row without one."""
    found = {
        name: _part(value, form.parts[name], is_untyped=is_untyped) for name, value in parts.items()
    }
    others = value_of_json(rest) if isinstance(rest, str) and rest else rest
    if isinstance(others, Mapping):
        found |= others
    return found if any(value is not None for value in found.values()) else None


def _whole(value: Any, form: AnswerForm, *, is_untyped: bool) -> Any:
    if isinstance(value, str) and form.kind in ("json", "score", "vector"):
        return value_of_json(value) if is_untyped or form.kind == "json" else value
    return value


def _part(value: Any, kind: str, *, is_untyped: bool) -> Any:
    """A property of an answer: in a table of texts an empty cell is null, and what is not of type
    text is JSON."""
    if value is None or not isinstance(value, str):
        return value
    if kind == "text":
        return value if value or not is_untyped else None
    return value_of_json(value) if value else None


def _number(name: str, value: Any) -> Any:
    if name in _NUMBERS and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value


def _why(error: Any) -> tuple[str, str]:
    if isinstance(error, Mapping):
        return str(error.get("kind", "failed")), str(error.get("message", ""))
    kind, _, message = str(error).partition(": ")
    return kind, message


def _line(row: int, record: Record, values: Mapping[str, Any]) -> RowAnswer:
    """A line that answers one of a batch file."""
    name = str(values["custom_id"])
    made = RowAnswer(row, name, record.line, ANSWERED, exact_json.dump_record({"custom_id": name}))
    try:
        found = batch_answers.read(record.data).answers
    except batch_answers.AnswerError as error:
        made.state, made.why = "failed", ("failed_elsewhere", str(error))
        return made
    if not found or found[0].text is None:
        fault = found[0].fault if found else "has no answer"
        made.state, made.why = "failed", ("failed_elsewhere", fault)
        return made
    made.text = made.response = found[0].text
    return made
