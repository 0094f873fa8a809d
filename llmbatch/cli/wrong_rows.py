"""The rows that are not answered right, as a table to look at: input, answer and gold."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError
from llmbatch.job import targets
from llmbatch.job.targets import Target
from llmbatch.quality import table_file
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.figures import GoldRow
from llmbatch.quality.record_figures import GoldRecord

_COLUMNS = {"answer": "text", "gold": "text", "why": "text", "confidence": "number"}


def check(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError for a file that cannot or must not be written."""
    table_file.format_to_write(path)
    targets.check([Target("errors", path, lambda path: overwrite or _is_ours(path))], {}, {})


def _is_ours(path: Path) -> bool:
    """True for a file of such rows: it has their columns."""
    format_name = table_file.format_to_write(path)
    return set(_COLUMNS) <= set(formats.written_columns(str(path), format_name))


def write(
    path: Path, columns: Sequence[str], rows: Iterable[RowAnswer], wrong: Sequence[GoldRow]
) -> int:
    """Write those of `rows` (in order) that are `wrong`; returns how many. `columns`: of the input.
    Raises UsageError for a file that cannot be written."""
    by_row = {row.row: row for row in wrong}
    names = {name: table_file.free_name(name, "eval", columns) for name in _COLUMNS}
    kinds = {names[name]: kind for name, kind in _COLUMNS.items()}
    format_name = table_file.format_to_write(path)
    records = (
        (row.data, {names[name]: value for name, value in _values(row, found).items()})
        for row in rows
        if (found := by_row.get(row.row)) is not None
    )
    try:
        return table_file.write(path, format_name, columns, kinds, records)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _values(row: RowAnswer, found: GoldRow) -> dict[str, Any]:
    gold = found.gold
    if isinstance(gold, GoldRecord):
        gold = dict(gold.fields)
    return {
        "answer": None if row.text is None else exact_json.cell(found.answer),
        "gold": exact_json.cell(gold),
        "why": found.why,
        "confidence": found.confidence,
    }
