"""CSV and TSV, for output."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, ClassVar

from llmbatch.core.exact_json import cell, parse_record
from llmbatch.formats.base import (
    ALL_COLUMNS,
    HoldsNothing,
    WriteOptions,
    answer_values,
    check_columns,
    ordered,
)

# By it Excel knows that a file is UTF-8.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A cell that begins with one of these is computed by Excel or LibreOffice; the last ones are the
# wide forms of East Asian keyboards.
_FORMULA_BEGINS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?%?")


class CsvWriter(HoldsNothing):
    """Writes comma-separated values in UTF-8: a header, lines ended by a newline.

    Fields are quoted where they must be, and where an answer is an empty text, which tells it from
    one that is missing. Values stand as they came, also where a spreadsheet would take them for a
    formula, unless the options say that Excel is to read them. Of the input, only the named columns
    are written.
    """

    delimiter: ClassVar[str] = ","

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions = ALL_COLUMNS,
    ) -> None:
        check_columns(columns, answer_columns)
        self._order = ordered(columns, answer_columns, options)
        self._answer = dict(answer_columns)
        self._stream = stream
        self._defused = defused if options.excel else str
        self._separator = options.delimiter or self.delimiter
        self._special = re.compile(f'["\r\n\0{re.escape(self._separator)}]')
        if options.excel:
            stream.write(_BYTE_ORDER_MARK)
        self._write([self._field(name) for name in self._order])

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        record = parse_record(data)
        answered = dict(zip(self._answer, answer_values(answer, self._answer), strict=True))
        cells = []
        for name in self._order:
            if name in answered:
                value = answered[name]
                cells.append('""' if value == "" else self._field(cell(value)))
            else:
                cells.append(self._field(cell(record.get(name))))
        self._write(cells)

    def _write(self, fields: Sequence[str]) -> None:
        # A line without anything in it would be no row.
        line = self._separator.join(fields) or '""'
        self._stream.write(f"{line}\n".encode())

    def _field(self, text: str) -> str:
        text = self._defused(text)
        if self._special.search(text) is None:
            return text
        return '"' + text.replace('"', '""') + '"'


class TsvWriter(CsvWriter):
    """Writes tab-separated values, quoted like CSV."""

    delimiter = "\t"


def defused(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula. A number
    that begins with a sign is none."""
    if text[:1] in _FORMULA_BEGINS and not (text and _NUMBER.fullmatch(text)):
        return f"'{text}"
    return text
