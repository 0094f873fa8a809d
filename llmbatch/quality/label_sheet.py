"""A file of drawn rows for people to label: the input's columns, the answer, room for the right
answer, and what `llmbatch eval` needs to weight each row back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.core import exact_json
from llmbatch.core.errors import UnwrittenError, UsageError
from llmbatch.core.exact_json import Json
from llmbatch.formats import WriteOptions
from llmbatch.quality import table_file
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.gold_file import GOLD, STRATUM, WEIGHT
from llmbatch.quality.label_strata import LabelSample

FORMATS = ("csv", "tsv", "jsonl", "parquet", "xlsx")
"""The formats that a person can fill in."""
_OF_FIELD = "gold_"


@dataclass(frozen=True, slots=True)
class LabelSheet:
    """`blind`: without the answers, which might lead people; `excel`: a CSV for that program."""

    path: Path
    format_name: str
    blind: bool = False
    excel: bool = False


def make(path: Path, format_name: str | None, *, blind: bool, excel: bool) -> LabelSheet:
    """The file to be written. Raises UsageError for a format that people cannot fill in."""
    found = formats.detect(str(path), format_name, writing=True)
    if found not in FORMATS:
        raise UsageError(f"{path}: people cannot fill in {found}; use one of: {', '.join(FORMATS)}")
    if excel and found != "csv":
        raise UsageError(f"--excel is for CSV, and {path} is {found}: leave it out")
    return LabelSheet(path, found, blind, excel)


def left_out(columns: Sequence[str], form: AnswerForm, sheet: LabelSheet) -> list[str]:
    """The columns of the input that have the name of one of the file's own."""
    own = _types(form, sheet)
    return [name for name in columns if name in own]


def gold_columns(form: AnswerForm) -> list[str]:
    """The columns for people to fill in: one, or one for each field of a JSON answer."""
    return [f"{_OF_FIELD}{name}" for name in form.parts] if form.is_json and form.parts else [GOLD]


def _types(form: AnswerForm, sheet: LabelSheet) -> dict[str, str]:
    """The file's own columns with their types."""
    answer = {} if sheet.blind else {form.column: "json" if form.is_json else "text"}
    gold = dict.fromkeys(gold_columns(form), "text")
    return answer | gold | {STRATUM: "text", WEIGHT: "number"}


def write(
    sheet: LabelSheet,
    columns: Sequence[str],
    form: AnswerForm,
    rows: Iterable[RowAnswer],
    sample: LabelSample,
) -> int:
    """Write the drawn ones of `rows`; how many these are. `columns`: of the input."""
    own = _types(form, sheet)
    kept = [name for name in columns if name not in own]
    options = WriteOptions((*kept, *own), excel=sheet.excel)
    records = (
        (_without(row, own), {**_answer(row, form, sheet), **_drawn(row, sample)}) for row in rows
    )
    try:
        return table_file.write(sheet.path, sheet.format_name, kept, own, records, options)
    except OSError as error:
        raise UnwrittenError(f"{sheet.path}: cannot be written: {error.strerror}") from error


def _drawn(row: RowAnswer, sample: LabelSample) -> Mapping[str, Any]:
    stratum = sample.rows[row.row]
    return {STRATUM: stratum.name, WEIGHT: stratum.weight}


def _answer(row: RowAnswer, form: AnswerForm, sheet: LabelSheet) -> Mapping[str, Any]:
    if sheet.blind:
        return {}
    if form.is_json:
        return {form.column: Json(row.text or "null")}
    return {form.column: row.response if isinstance(row.response, str) else row.text}


def _without(row: RowAnswer, own: Mapping[str, str]) -> str:
    """The record of the row, without columns of the file's own names."""
    record = row.input
    if own.keys().isdisjoint(record):
        return row.data
    return exact_json.dump_record({name: record[name] for name in record if name not in own})
