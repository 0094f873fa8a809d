"""CSV and TSV: exact line numbers, and damage that stays where it is.

A record ends where its quotes say, so that one forgotten quote can swallow the rest of a file.
Here it costs one line: when a record cannot be read to its end, its first physical line is
rejected and reading goes on at the next line.

This takes linear time: inside a record every line begins within quotes, and how the reader
goes on from "within quotes at line k" depends on nothing else. So when a record that began at
line i failed at line e, another one that begins between the two and has a quote open at the end
of its line would fail at e as well. It is rejected without looking ahead again, and no line is
parsed more than twice.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell, parse_record
from llmbatch.core.records import Record, Reject
from llmbatch.formats import lines
from llmbatch.formats.base import (
    ALL_COLUMNS,
    FIND_OUT,
    ClosesStream,
    HoldsNothing,
    ReadOptions,
    WriteOptions,
    answer_values,
    check_columns,
    ordered,
    reject,
)

# A record within quotes may have this many physical lines; like the limit in bytes, it bounds
# what is held in memory while the end of a quoted field is looked for.
MAX_RECORD_LINES = 1_000_000

# By it Excel knows that a file is UTF-8.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A cell that begins with one of these is computed by Excel or LibreOffice; the last ones are the
# wide forms of East Asian keyboards.
_FORMULA_BEGINS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?%?")

# The module's own limit is 128 KiB a field and holds for the whole process.
csv.field_size_limit(2**31 - 1)


class CsvReader(ClosesStream):
    """Reads records of comma-separated values; the first line that is not blank names the columns.

    Every value is a string, as it came. Blank lines are skipped. Raises UsageError for an input
    without a usable header.
    """

    delimiter: ClassVar[str] = ","

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        self._stream = stream
        self._name = name
        self.notes: list[str] = []
        self._source = _Source(lines.physical_lines(stream, name))
        self._parser = csv.reader(self._source, delimiter=self.delimiter, strict=True)
        self.columns = self._header()

    def __iter__(self) -> Iterator[Record | Reject]:
        source, parser, columns, width = self._source, self._parser, self.columns, len(self.columns)
        while True:
            start = source.begin()
            try:
                fields = next(parser)
            except StopIteration:
                return
            except csv.Error as error:
                yield source.reject_first(str(error))
                continue
            if source.suspect and (fault := source.fault(self.delimiter)):
                yield reject(start, fault, source.raw())
            elif len(fields) == width:
                data = orjson.dumps(dict(zip(columns, fields, strict=True)))
                yield Record(start, data.decode())
            elif fields:
                yield reject(start, _ragged(len(fields), width), source.raw())

    def _header(self) -> list[str]:
        """The column names, checked."""
        fields: list[str] = []
        while not fields:
            line = self._source.begin()
            try:
                fields = next(self._parser)
            except StopIteration:
                raise UsageError(f"{self._name}: is empty: there is no header line") from None
            except csv.Error as error:
                raise self._unusable(line, self._source.explain(str(error))) from error
            if self._source.suspect and (fault := self._source.fault(self.delimiter)):
                raise self._unusable(line, f"{fault}; convert the file to UTF-8")
        for position, column in enumerate(fields, 1):
            if not column.strip():
                raise self._unusable(line, f"column {position} has no name; give it one")
            if (first := fields.index(column) + 1) != position:
                raise self._unusable(
                    line, f"columns {first} and {position} are both named {column!r}; rename one"
                )
        return fields

    def _unusable(self, line: int, reason: str) -> UsageError:
        return UsageError(f"{self._name}: line {line}: the header cannot be used: {reason}")


class TsvReader(CsvReader):
    """Reads tab-separated values, quoted like CSV."""

    delimiter = "\t"


class _Source:
    """Feeds physical lines to the csv parser and can take back all but the first of a record."""

    def __init__(self, raw_lines: Iterator[bytes]) -> None:
        self._lines = raw_lines
        self._again: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._size = 0
        self._start = 1
        self._doomed = 0
        self.suspect = False

    def begin(self) -> int:
        """Start a record; returns the number of its first line, counted from 1."""
        if self._taken:
            self._start += len(self._taken)
            self._taken = []
            self._size = 0
            self.suspect = False
        return self._start

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line of the record. StopIteration ends it for the parser."""
        if self._taken and self._hopeless():
            raise StopIteration
        raw = self._again.popleft() if self._again else next(self._lines)
        if type(raw) is lines.Oversize:
            return self._overlong(raw)
        self._taken.append(raw)
        self._size += len(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            self.suspect = True
            return raw.decode(errors="replace")
        if "\0" in text:
            self.suspect = True
        return text

    def _overlong(self, raw: lines.Oversize) -> str:
        """A line too long to hold is a bad record of its own, and ends the one before it."""
        if self._taken:
            self._again.appendleft(raw)
            raise StopIteration
        self._taken.append(raw)
        self.suspect = True
        return ""

    def _hopeless(self) -> bool:
        """True if the end of the open quote need not, or must not, be looked for further."""
        return (
            self._start < self._doomed
            or self._size > lines.MAX_RECORD_BYTES
            or len(self._taken) >= MAX_RECORD_LINES
        )

    def raw(self) -> bytes:
        """The bytes of the record, or of its beginning when it is long."""
        return b"".join(self._taken)

    def fault(self, delimiter: str) -> str | None:
        """The fault in the bytes of a suspect record, if there is one: a NUL byte within quotes was
        written by a program for data, one outside comes from a damaged or foreign file."""
        if type(self._taken[0]) is lines.Oversize:
            return lines.too_long()
        try:
            whole = self.raw().decode()
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 at byte {error.start + 1}"
        bare = re.sub(f'(^|{delimiter})"(?:[^"]|"")*+"', r"\1", whole)
        return "NUL byte" if "\0" in bare else None

    def reject_first(self, error: str) -> Reject:
        """Reject the first line of a record that cannot be read, and take the others back."""
        first, *others = self._taken
        rejected = reject(self._start, self.explain(error), first)
        self._doomed = max(self._doomed, self._start + len(others))
        self._again.extendleft(reversed(others))
        self._taken = [first]
        return rejected

    def explain(self, error: str) -> str:
        """The parser's complaint in words that help."""
        if error == "unexpected end of data":
            return "unclosed quote"
        if "expected after" in error:
            error = "text after a closing quote"
        elif error.startswith("new-line character"):
            error = "carriage return outside quotes"
        if len(self._taken) > 1:
            return f"unclosed quote ({error} on line {self._start + len(self._taken) - 1})"
        return error


def _ragged(found: int, width: int) -> str:
    return f"{found} field{'s' * (found != 1)} where the header has {width}"


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
