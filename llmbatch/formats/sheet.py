"""Excel workbooks (.xlsx), for output: one sheet, written row by row in little memory.

A cell that begins with `=` is text here, never a formula. An Excel number has 15 digits, so an
integer with more stands as text.
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO, Self

from llmbatch.core.errors import UsageError
from llmbatch.formats.base import ALL_COLUMNS, Misfit, WriteOptions
from llmbatch.formats.typed import TypedColumns

MOST_ROWS = 1_048_576
"""Rows of a sheet, the header included."""
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""Of a cell, counted in UTF-16 units as Excel does."""
_MOST_DIGITS = 15
_MOST = (
    f"a sheet of a workbook has {MOST_ROWS - 1:,} beside its header; write .csv or .parquet, or "
    "parts of them with `llmbatch export --where`"
)
# Excel's own form for characters that XML cannot hold, and for text that looks like that form.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def require_library() -> None:
    """Raise UsageError where the library is not installed."""
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "an .xlsx output needs a library more: pip install 'llmbatch[xlsx]'"
        ) from error


def check_rows(path: str, rows: int) -> None:
    """Raise UsageError if so many rows cannot be written to a sheet."""
    require_library()
    if rows >= MOST_ROWS:
        raise UsageError(f"{path}: {rows:,} rows are too many: {_MOST}")


def columns(path: str) -> list[str]:
    """The names in the first row of a file; none if it is no workbook."""
    require_library()
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        return []
    try:
        first = next(book.worksheets[0].iter_rows(max_row=1, values_only=True), ())
        return [str(name) for name in first if name is not None]
    finally:
        book.close()


class SheetWriter:
    """Writes one sheet. `cut` counts the cells that were longer than a cell may be; the rest of
    their text is left out. Raises UsageError for more rows or columns than a sheet has."""

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions = ALL_COLUMNS,
    ) -> None:
        require_library()
        import openpyxl

        self._typed = TypedColumns(columns, answer_columns, options)
        if len(self._typed.kinds) > MOST_COLUMNS:
            raise UsageError(
                f"{len(self._typed.kinds):,} columns: a sheet has {MOST_COLUMNS:,}; choose some "
                "with --columns, or write .csv or .parquet"
            )
        self.cut = 0
        self._rows = 1
        self._stream = stream
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("answers")
        self._sheet.append([self._text(name) for name in self._typed.kinds])

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        self._rows += 1
        if self._rows > MOST_ROWS:
            raise UsageError(f"too many rows: {_MOST}")
        values = zip(self._typed.kinds.items(), self._typed.row(data, answer), strict=True)
        self._sheet.append([self._cell(name, kind, value) for (name, kind), value in values])

    def _cell(self, name: str, kind: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if kind == "integer" and value is not None and abs(value) >= 10**_MOST_DIGITS:
            raise Misfit(name, value)
        return value

    def _text(self, text: str) -> Any:
        """A cell that is text, whatever it looks like."""
        from openpyxl.cell import WriteOnlyCell

        made = WriteOnlyCell(self._sheet)
        made.value = self._fitted(text)
        made.data_type = "s"
        return made

    def _fitted(self, text: str) -> str:
        text = _UNWRITABLE.sub(_escaped, _LOOKS_ESCAPED.sub("_x005F_", text))
        if len(text) > MOST_CHARACTERS // 2:
            units = text.encode("utf-16-le")
            if len(units) > 2 * MOST_CHARACTERS:
                self.cut += 1
                return units[: 2 * MOST_CHARACTERS].decode("utf-16-le", "ignore")
        return text

    def notices(self) -> list[str]:
        if not self.cut:
            return []
        cells = "1 cell was" if self.cut == 1 else f"{self.cut:,} cells were"
        return [
            f"{cells} cut to {MOST_CHARACTERS:,} characters, the most that a cell of a workbook "
            "holds; .csv, .parquet and .jsonl have all of it"
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the workbook; after an error only its drafts are removed."""
        if error is None:
            self._book.save(self._stream)
        else:
            self._sheet.close()
        self._book.close()


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"
