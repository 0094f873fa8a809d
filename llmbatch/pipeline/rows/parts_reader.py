"""The rows of an input: its files one after the other, each row with its ordinal and its id."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmbatch import formats
from llmbatch.core import exact_json, units
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import RAW_LIMIT, Record, Reject
from llmbatch.formats.base import Reader
from llmbatch.pipeline.rows.error_rows import ErrorRows
from llmbatch.pipeline.rows.input_file import InputFile
from llmbatch.pipeline.rows.input_parts import Part
from llmbatch.store.snapshots import Row

_SHOWN = 3


class PartsReader:
    """One pass over the files of an input. `columns` and `notes` are complete after it."""

    def __init__(self, source: InputFile, parts: Sequence[Part]) -> None:
        self._source = source
        self._parts = parts
        self._error_rows = ErrorRows()
        self._columns: list[list[str]] = []
        self._notes: list[str] = []
        self._short = self.short_names(parts)

    @property
    def columns(self) -> list[str]:
        """The columns of all files, as they were first met."""
        names = dict.fromkeys(name for columns in self._columns for name in columns)
        return self._error_rows.columns(list(names))

    @property
    def notes(self) -> list[str]:
        """The findings about the files, and those that have other columns than the first."""
        return [*self._notes, *self._differences()]

    def rows(self) -> Iterator[Row | Reject]:
        """The rows and rejects, in order."""
        number = 0
        for at, part in enumerate(self._parts):
            with (
                formats.open_input(str(part.path), part.member) as stream,
                formats.open_reader(
                    part.name, stream, part.format_name, self._source.options
                ) as reader,
            ):
                self._check_id_column(part, reader.columns)
                for item in reader:
                    number += 1
                    yield self._row(number, at, item)
                self._note(at, reader)

    @staticmethod
    def short_names(parts: Sequence[Part]) -> list[str]:
        """The names of the files without the folder that they share."""
        if len(parts) < 2:
            return [part.name for part in parts]
        common = os.path.commonpath([os.path.dirname(part.name) or "." for part in parts])  # noqa: PTH120
        return [os.path.relpath(part.name, common) for part in parts]

    def _row(self, number: int, at: int, item: Record | Reject) -> Row | Reject:
        if at:
            item = replace(item, file=at)
        if isinstance(item, Reject):
            return item
        record = self._error_rows(item)
        if self._source.id_column is not None:
            return _with_id(number, record, self._source.id_column)
        line = str(item.line)
        return Row(number, line if len(self._parts) < 2 else f"{self._short[at]}:{line}", record)

    def _note(self, at: int, reader: Reader) -> None:
        self._columns.append(reader.columns)
        several = len(self._parts) > 1
        self._notes += [f"{self._short[at]}: {note}" if several else note for note in reader.notes]

    def _differences(self) -> list[str]:
        first = set(self._columns[0]) if self._columns else set()
        others = [
            _difference(self._short[at], first, columns)
            for at, columns in enumerate(self._columns)
            if columns and set(columns) != first
        ]
        if not others or not first:
            return []
        more = len(others) - _SHOWN
        told = "; ".join(others[:_SHOWN]) + (
            f"; and {units.count(more, 'more file')}" if more > 0 else ""
        )
        return [f"files with other columns than {self._short[0]}: {told}"]

    def _check_id_column(self, part: Part, columns: list[str]) -> None:
        """The columns of a CSV are known at once; in JSON Lines each record is checked alone."""
        name = self._source.id_column
        if name is not None and columns and name not in columns:
            raise UsageError(
                f"{part.name}: no id column {name!r}{nearest(name, columns)}; "
                f"columns: {', '.join(columns)}"
            )


def _difference(name: str, first: set[str], columns: Sequence[str]) -> str:
    lacks = sorted(first - set(columns))
    adds = [column for column in columns if column not in first]
    parts = [f"lacks {_some(lacks)}"] * bool(lacks) + [f"has also {_some(adds)}"] * bool(adds)
    return f"{name} {' and '.join(parts)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more:,} more" if more > 0 else "")


def _with_id(number: int, record: Record, column: str) -> Row | Reject:
    value = exact_json.parse_record(record.data).get(column)
    if value is None or value == "":
        raw = record.data[:RAW_LIMIT]
        return Reject(record.line, f"no id in column {column!r}", raw, record.file)
    return Row(number, exact_json.cell(value), record)
