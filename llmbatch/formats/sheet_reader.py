"""Excel workbooks (.xlsx), for input: the rows of one sheet, read one by one in little memory."""

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from llmbatch.core import units
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.exact_json import dump_record
from llmbatch.core.records import Record, Reject
from llmbatch.formats import packed
from llmbatch.formats.base import FIND_OUT, ClosesStream, ReadOptions, reject
from llmbatch.formats.column_names import own_names

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_FAULTS = (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, SyntaxError, IndexError)
_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"))


class SheetReader(ClosesStream):
    """Reads the rows of a sheet, the first or the named one; the line of a row is its number there.

    Text, numbers, true and false are what they are in the sheet; whole numbers have no fraction;
    dates and times are text in ISO 8601, an empty cell is null, a formula its last result.
    """

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        openpyxl = _library()
        self._name = name
        self._stream = packed.as_file(stream)
        self._null = frozenset(options.null)
        self._blank = self._errors = 0
        try:
            self._book = openpyxl.load_workbook(self._stream, read_only=True, data_only=True)
        except _FAULTS as error:
            raise self._damaged(error) from error
        self._sheet = self._chosen(options.sheet)
        self._rows: Iterator[tuple[int, Sequence[Any]]] = enumerate(self._values(), 1)
        for _ in islice(self._rows, options.skip_lines or 0):
            pass
        self.columns, self._notes = self._header(options)

    @property
    def notes(self) -> list[str]:
        """The sheet that is read, where there are several, and what of it is not as it seems."""
        notes = list(self._notes)
        if self._blank:
            notes.append(f"{units.count(self._blank, 'empty row')} skipped")
        if self._errors:
            notes.append(
                f"{units.count(self._errors, 'cell')} with an error, such as #N/A, as text"
            )
        return notes

    def __iter__(self) -> Iterator[Record | Reject]:
        width = len(self.columns)
        for line, cells in self._rows:
            values = [self._value(cell) for cell in cells]
            if all(value is None for value in values):
                self._blank += 1
                continue
            if any(value is not None for value in values[width:]):
                reason = f"cells beyond the {units.count(width, 'column')} of the header"
                yield reject(line, reason, dump_record(values).encode())
                continue
            values += [None] * (width - len(values))
            yield Record(line, dump_record(dict(zip(self.columns, values, strict=False))))

    def _chosen(self, wanted: str | None) -> Any:
        names = self._book.sheetnames
        tables = {sheet.title: sheet for sheet in self._book.worksheets}
        if wanted is not None and wanted not in tables:
            raise UsageError(
                f"{self._name}: has no sheet {wanted!r}{nearest(wanted, tables)}; "
                f"sheets: {', '.join(names)}"
            )
        if not tables:
            raise UsageError(f"{self._name}: has no sheet with cells")
        sheet = tables[wanted] if wanted is not None else next(iter(tables.values()))
        # What a program wrote of a sheet's size may be wrong.
        sheet.reset_dimensions()
        return sheet

    def _values(self) -> Iterator[Sequence[Any]]:
        try:
            yield from self._sheet.iter_rows(values_only=True)
        except _FAULTS as error:
            raise self._damaged(error) from error

    def _header(self, options: ReadOptions) -> tuple[list[str], list[str]]:
        """The names of the columns, and notes on them and on other sheets."""
        first = next((row for row in self._rows if any(map(_is_filled, row[1]))), None)
        others = "" if options.sheet is not None else self._others("; ")
        notes = [f"reading the sheet {self._sheet.title!r}{others}"] * bool(others)
        if first is None:
            raise UsageError(
                f"{self._name}: the sheet {self._sheet.title!r} is empty{self._others('; ')}"
            )
        cells = list(first[1])
        while not _is_filled(cells[-1]):
            cells.pop()
        if not options.header:
            self._rows = chain([first], self._rows)
            return [f"column_{number}" for number in range(1, len(cells) + 1)], notes
        names = [_text(cell).strip() if _is_filled(cell) else "" for cell in cells]
        columns, of_names = own_names(names)
        return columns, notes + of_names

    def _others(self, before: str) -> str:
        """The words on the other sheets; none where there are none."""
        names = [name for name in self._book.sheetnames if name != self._sheet.title]
        return f"{before}others by --sheet: {_some(names)}" if names else ""

    def _value(self, cell: Any) -> Any:
        if isinstance(cell, str):
            self._errors += cell in _ERRORS
            text = _unescaped(cell)
            return None if text in self._null else text
        if cell is None or isinstance(cell, bool | int):
            return cell
        if isinstance(cell, float):
            return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
        return _text(cell)

    def _damaged(self, error: Exception) -> UsageError:
        reason = " ".join(str(error).split())[:200]
        return UsageError(f"{self._name}: is no Excel workbook, or damaged: {reason}")


def _library() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError(
            "an .xlsx input needs a library more: pip install 'llmbatch[xlsx]'"
        ) from error
    # Of features of Excel that have nothing to do with its cells.
    warnings.filterwarnings("ignore", module="openpyxl")
    return openpyxl


def _is_filled(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _text(cell: Any) -> str:
    """A cell as text; of a moment at midnight the date alone, which is all that most show."""
    if isinstance(cell, datetime.datetime):
        is_date = cell.time() == datetime.time()
        return cell.date().isoformat() if is_date else cell.isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return _unescaped(str(cell))


def _unescaped(text: str) -> str:
    """Text without the form in which Excel keeps what XML cannot hold."""
    if "_x" not in text:
        return text
    units_16 = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return units_16.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(map(repr, names[:3])) + (f" and {more:,} more" if more > 0 else "")
