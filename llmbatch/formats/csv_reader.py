"""CSV and TSV, for input: exact line numbers, and damage that stays where it is.

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
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, ClassVar

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats import dialects, headers, lines
from llmbatch.formats.base import FIND_OUT, ClosesStream, ReadOptions, reject
from llmbatch.formats.dialect_trial import Dialect
from llmbatch.formats.headers import Header
from llmbatch.formats.text_source import TextSource

# A record within quotes may have this many physical lines; like the limit in bytes, it bounds
# what is held in memory while the end of a quoted field is looked for.
MAX_RECORD_LINES = 1_000_000
# The dialect is found by so many lines, and so many bytes of them.
_HEAD_LINES = 500
_HEAD_BYTES = 1024 * 1024

# The module's own limit is 128 KiB a field and holds for the whole process.
csv.field_size_limit(2**31 - 1)

Shape = Callable[[list[str]], Sequence[str | None]]
"""Makes the values of the columns of the fields of a record; none if they do not fit."""


class CsvReader(ClosesStream):
    """Reads records of separated values; the first line that is not blank names the columns.

    Every value is a string, as it came. Blank lines are skipped. Raises UsageError for an input
    without a usable header, and for one whose dialect is not sure.
    """

    delimiter: ClassVar[str] = ","

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        self._stream = stream
        self._name = name
        self._options = options
        self._text = TextSource(stream, name, options.encoding)
        head, is_whole = self._head()
        self._dialect, found = dialects.find(head, name, options, self.delimiter, is_whole=is_whole)
        self._begin()
        self._header = self._read_header()
        self.columns = self._header.names
        found += self._text.found
        self.notes = [f"reading {', '.join(found)}"] if found else []
        self.notes += self._header.notes

    def __iter__(self) -> Iterator[Record | Reject]:
        source, parser, columns, width = self._source, self._parser, self.columns, len(self.columns)
        shape = self._shape()
        while True:
            start = source.begin()
            try:
                fields = next(parser)
            except StopIteration:
                return
            except csv.Error as error:
                yield source.reject_first(str(error))
                continue
            values = fields if shape is None else shape(fields)
            if source.suspect and (fault := source.fault()):
                yield reject(start, fault, source.raw())
            elif len(values) == width:
                data = orjson.dumps(dict(zip(columns, values, strict=True)))
                yield Record(start, data.decode())
            elif fields:
                yield reject(start, _ragged(len(fields), self._header.width), source.raw())

    def _head(self) -> tuple[list[str], bool]:
        """The first lines, and whether there are no others."""
        if not self._text.can_rewind:
            return [], True
        found: list[str] = []
        size = 0
        for raw in islice(self._text.lines(), _HEAD_LINES):
            size += len(raw)
            if type(raw) is lines.Oversize or (size > _HEAD_BYTES and found):
                return found, False
            found.append(raw.decode(errors="replace"))
        return found, len(found) < _HEAD_LINES

    def _begin(self) -> None:
        """Read from the first line, but for those above the header."""
        skip = self._dialect.skip
        self._source = _Source(islice(self._text.lines(), skip, None), self._dialect)
        self._parser = csv.reader(self._source, **self._dialect.parser_settings())

    def _read_header(self) -> Header:
        """The columns, by their names."""
        fields: list[str] = []
        while not fields:
            line = self._source.begin()
            try:
                fields = next(self._parser)
            except StopIteration:
                raise UsageError(f"{self._name}: is empty: there is no header line") from None
            except csv.Error as error:
                raise self._unusable(line, self._source.explain(str(error))) from error
            if self._source.suspect and (fault := self._source.fault()):
                raise self._unusable(line, fault)
        if not self._options.header:
            self._require_rewind()
            self._begin()
            return headers.numbered(len(fields))
        if self._dialect.numbered:
            fields = ["", *fields]
        header = headers.make(fields, self._empty(headers.nameless(fields)))
        if not header.names:
            raise self._unusable(line, "no column has a name or a value")
        if _is_number(fields[0]):
            first = ", ".join(map(repr, fields[:3]))
            header.notes.append(
                f"line {line} is taken for the header ({first}): add --no-header if it is a record"
            )
        return header

    def _empty(self, positions: Sequence[int]) -> set[int]:
        """Those of the columns in which no record has a value. All records are read until each of
        them has shown one."""
        left = set(positions) if self._text.can_rewind else set()
        if not left:
            return left
        while left:
            self._source.begin()
            try:
                fields = next(self._parser)
            except StopIteration:
                break
            except csv.Error as error:
                self._source.reject_first(str(error))
                continue
            left -= {position for position in left if any(fields[position : position + 1])}
        self._begin()
        self._source.begin()
        next(row for row in self._parser if row or self._source.begin() is None)
        return left

    def _require_rewind(self) -> None:
        if not self._text.can_rewind:
            raise UsageError(f"{self._name}: can be read only once; give a file")

    def _shape(self) -> Shape | None:
        """The way from fields to values; None where they are the same."""
        header, null = self._header, frozenset(self._options.null)
        if header.kept is None and not null and not self._dialect.trailing:
            return None
        kept = list(range(header.width)) if header.kept is None else header.kept
        least, most = max(kept, default=-1) + 1, header.width + self._dialect.trailing

        def values(fields: list[str]) -> Sequence[str | None]:
            if not least <= len(fields) <= most or any(fields[header.width :]):
                return ()
            chosen = [fields[position] for position in kept]
            return [None if value in null else value for value in chosen]

        return values

    def _unusable(self, line: int, reason: str) -> UsageError:
        return UsageError(f"{self._name}: line {line}: the header cannot be used: {reason}")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+([.,]\d+)?", text.strip()) is not None


class TsvReader(CsvReader):
    """Reads tab-separated values, quoted like CSV."""

    delimiter = "\t"


class _Source:
    """Feeds physical lines to the csv parser and can take back all but the first of a record."""

    def __init__(self, raw_lines: Iterator[bytes], dialect: Dialect) -> None:
        self._lines = raw_lines
        self._dialect = dialect
        self._prepare = dialect.prepared if dialect.escape else None
        self._again: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._size = 0
        self._start = dialect.skip + 1
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
        return text if self._prepare is None else self._prepare(text)

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

    def fault(self) -> str | None:
        """The fault in the bytes of a suspect record, if there is one: a NUL byte within quotes was
        written by a program for data, one outside comes from a damaged or foreign file."""
        if type(self._taken[0]) is lines.Oversize:
            return lines.too_long()
        try:
            whole = self.raw().decode()
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 at byte {error.start + 1}"
        sign, quote = re.escape(self._dialect.delimiter), re.escape(self._dialect.quote or "\uffff")
        bare = re.sub(f"(^|{sign}){quote}(?:[^{quote}]|{quote}{quote})*+{quote}", r"\1", whole)
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
        quote = self._dialect.quote
        if not self._dialect.escape and quote and f"\\{quote}".encode() in self.raw():
            return f"text after \\{quote}: if it stands for a quote, add --escape '\\'"
        if "expected after" in error:
            error = "text after a closing quote"
        elif error.startswith("new-line character"):
            error = "carriage return outside quotes"
        if len(self._taken) > 1:
            return f"unclosed quote ({error} on line {self._start + len(self._taken) - 1})"
        return error


def _ragged(found: int, width: int) -> str:
    return f"{found} field{'s' * (found != 1)} where the header has {width}"
