"""Rows and their answers in the one form by which those of two sides are compared."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from llmbatch.core import exact_json
from llmbatch.quality.answer_form import RESPONSE
from llmbatch.quality.answers import RowAnswer, windows
from llmbatch.store.pairs import ComparedRow

_CONFIDENCE = "confidence"
# A list of so many numbers is a vector where nothing says what answers are.
_A_VECTOR = 16


def batches(
    rows: Iterable[RowAnswer], kind: str | None, *, as_cells: bool
) -> Iterator[list[ComparedRow]]:
    """The rows of a side in windows. `kind`: of its answers, as an AnswerForm has it; `as_cells`:
    one of the sides is a table of texts, so a number there is a text, and must be here, too."""
    for window in windows(rows):
        yield [compared(row, kind, as_cells=as_cells) for row in window]


def compared(row: RowAnswer, kind: str | None, *, as_cells: bool) -> ComparedRow:
    """A row as it is compared."""
    why = None if row.why is None else row.why[0]
    if not row.is_answered:
        return ComparedRow(row.row, row.id, row.data, row.state, why, None, None)
    answer, fields = _answer(row, kind, as_cells=as_cells)
    return ComparedRow(row.row, row.id, row.data, row.state, None, answer, fields)


def _answer(row: RowAnswer, kind: str | None, *, as_cells: bool) -> tuple[str, str | None]:
    """All of an answer, and its fields."""
    value = row.response
    if is_vector(value, kind):
        return base64.b64encode(row.vector.astype("<f4").tobytes()).decode(), None
    fields = value if isinstance(value, dict) else {RESPONSE: value}
    if row.confidence is not None and not isinstance(value, dict):
        fields |= {_CONFIDENCE: row.confidence}
    if as_cells:
        fields = {name: _as_cell(name, item) for name, item in fields.items()}
    text = exact_json.dump_record({name: _sorted(item) for name, item in sorted(fields.items())})
    return _whole(value, kind, text), text


def is_vector(value: Any, kind: str | None) -> bool:
    """True if an answer is a vector."""
    is_list = isinstance(value, list) and len(value) >= _A_VECTOR
    return kind == "vector" or (
        kind is None and is_list and all(isinstance(each, float | int) for each in value)
    )


def _whole(value: Any, kind: str | None, fields: str) -> str:
    """The text by which answers are the same: of a score six digits, of a record its fields."""
    if isinstance(value, dict):
        return fields
    if kind == "score" or (kind is None and isinstance(value, float)):
        return f"{float(value):.6g}"
    return exact_json.cell(_sorted(value))


def _as_cell(name: str, value: Any) -> Any:
    return value if value is None or name == _CONFIDENCE else exact_json.cell(_sorted(value))


def _sorted(value: Any) -> Any:
    """A JSON value whose objects have their members in order."""
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in sorted(value.items())}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
