"""Files of labels: .txt, .csv, .tsv, .json and .toml, each with descriptions or without."""

import csv
import io
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.units import count

Labels = list[list[str]]
"""Pairs of a label and its description, which may be empty."""

LABEL, DESCRIPTION = "label", "description"
_ADVICE = f"columns {LABEL} and {DESCRIPTION}"


def read(path: Path, text: str, what: str) -> Labels:
    """The labels in the `text` of a file. `what`: begins the message. Raises UsageError that names
    the file, and the line where there is one."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{what}{path}: labels stand in a file {', '.join(_READERS)}")
    try:
        found = reader(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"{what}{path}: {error}") from error
    if not found:
        raise UsageError(f"{what}{path}: holds no label")
    return found


def _of_lines(text: str) -> Labels:
    """A label in each line, or after a tab its description."""
    lines = (line.partition("\t") for line in text.splitlines() if line.strip())
    return [[label.strip(), description.strip()] for label, _, description in lines]


def _of_table(delimiter: str) -> Callable[[str], Labels]:
    def read_table(text: str) -> Labels:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [name.strip().lower() for name in next(rows, [])]
        if LABEL not in header:
            raise ValueError(f"line 1: there is no column {LABEL!r}; use {_ADVICE}")
        found = []
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) > len(header):
                raise ValueError(
                    f"line {rows.line_num}: has {count(len(row), 'cell')}, and the first line "
                    f"{len(header)}; put a text with commas in quotes"
                )
            cells = dict(zip(header, row, strict=False))
            if not cells[LABEL].strip():
                raise ValueError(f"line {rows.line_num}: the label is empty")
            found.append([cells[LABEL].strip(), cells.get(DESCRIPTION, "").strip()])
        return found

    return read_table


def _of_json(text: str) -> Labels:
    return _of_value(json.loads(text))


def _of_toml(text: str) -> Labels:
    """A table of descriptions by label, or a key `labels` with what a JSON file may hold."""
    table = tomllib.loads(text)
    return _of_value(table.get("labels", table))


def _of_value(value: Any) -> Labels:
    """A list of labels, or of objects with label and description; or an object of descriptions."""
    if isinstance(value, Mapping):
        value = [{LABEL: name, DESCRIPTION: text} for name, text in value.items()]
    if not isinstance(value, list):
        raise ValueError("write a list of labels, or an object of their descriptions")
    return [_pair(entry, number) for number, entry in enumerate(value, start=1)]


def _pair(entry: Any, number: int) -> list[str]:
    if isinstance(entry, str):
        return [entry, ""]
    if isinstance(entry, Mapping):
        label, description = entry.get(LABEL), entry.get(DESCRIPTION) or ""
        if isinstance(label, str) and isinstance(description, str):
            return [label, description]
    raise ValueError(f"label {number}: write a text, or {LABEL} and {DESCRIPTION} as texts")


_READERS: dict[str, Callable[[str], Labels]] = {
    ".txt": _of_lines,
    ".csv": _of_table(","),
    ".tsv": _of_table("\t"),
    ".json": _of_json,
    ".toml": _of_toml,
}
