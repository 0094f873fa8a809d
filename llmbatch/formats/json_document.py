"""JSON that is not one object a line: arrays of records, objects over several lines, or records
within a document (`--json-path`). It is read record by record, whatever its size.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, Literal

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats import lines
from llmbatch.formats.base import FIND_OUT, ClosesStream, Reader, ReadOptions
from llmbatch.formats.json_records import JsonRecords
from llmbatch.formats.json_text import JsonText, MalformedError
from llmbatch.formats.jsonl import JsonlReader
from llmbatch.formats.text_source import TextSource

_LINES = ("jsonl", "ndjson")
_LEVELS = 2
_SHOWN = 5
# White space around the line ends of a record, none of which is within a string.
_LINE_ENDS = re.compile(rb"[ \t]*[\r\n][ \t\r\n]*")

Shape = Literal["array", "objects", "path"]


def open_json(stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> Reader:
    """A reader of JSON Lines or of a JSON document, as the content has it. Raises UsageError where
    the records of a document have to be named first."""
    text = TextSource(stream, name, options.encoding)
    if options.json_path is not None:
        return DocumentReader(stream, name, text, options, "path")
    shape = _shape(JsonText(text.stream(), name), name) if text.can_rewind else None
    if shape is None:
        return JsonlReader(stream, name, options)
    return DocumentReader(stream, name, text, options, shape)


class DocumentReader(ClosesStream):
    """Reads the records of a document; the line of one is its number, from 1."""

    def __init__(
        self, stream: BinaryIO, name: str, source: TextSource, options: ReadOptions, shape: Shape
    ) -> None:
        self._stream = stream
        self._name = name
        self._path = options.json_path
        self._text = JsonText(source.stream(), name)
        self._shape = shape
        self._records = JsonRecords(options.nan)
        self._source = source
        if shape == "path":
            self._go_to_path()

    @property
    def columns(self) -> list[str]:
        """The keys seen so far."""
        return list(self._records.columns)

    @property
    def notes(self) -> list[str]:
        what = {
            "array": "is a JSON array: its elements are the rows, and counted as lines",
            "objects": "is JSON that is not one object a line: its objects are counted as lines",
        }
        said = [what[self._shape]] if self._shape in what else []
        return [f"reading {found}" for found in self._source.found] + said + self._records.notes

    def __iter__(self) -> Iterator[Record | Reject]:
        text = self._text
        number = 0
        try:
            for _ in self._values():
                number += 1
                line = text.line
                raw = text.value()
                if type(raw) is not lines.Oversize:
                    raw = _LINE_ENDS.sub(b" ", raw)
                yield self._records.record(number, raw, f" (line {line:,} of the file)")
        except MalformedError:
            raise text.error(
                f"record {max(1, number):,} does not end, or is no JSON: mend it, or fetch the "
                "whole file again"
            ) from None

    def _values(self) -> Iterator[None]:
        """Once before each value that is to be taken."""
        if self._shape == "objects":
            while self._text.peek():
                yield
                self._text.take(b",")
            return
        while self._text.peek() == b"[":
            yield from self._elements()
            if self._shape == "path":
                return
        if self._text.peek():
            raise self._text.error("more text after the end of the array")

    def _elements(self) -> Iterator[None]:
        text = self._text
        text.take(b"[")
        if text.take(b"]"):
            return
        while True:
            yield
            if text.take(b"]"):
                return
            if not text.take(b","):
                end = "the array does not end: fetch the whole file again"
                raise text.error("a comma is missing between two elements" if text.peek() else end)
            if text.take(b"]"):
                return

    def _go_to_path(self) -> None:
        """Go to the array that the path names. Raises UsageError where there is none."""
        assert self._path is not None
        try:
            for part in self._path.split("."):
                if not self._go_to(part):
                    raise self._no_path()
        except MalformedError:
            raise self._no_path() from None
        if self._text.peek() == b"{":
            self._shape = "objects"
            self._text = JsonText(io.BytesIO(self._text.value()), self._name)
        elif self._text.peek() != b"[":
            raise self._no_path()

    def _go_to(self, name: str) -> bool:
        for key in self._text.members():
            if orjson.loads(key) == name:
                return True
            self._text.value(keep=False)
        return False

    def _no_path(self) -> UsageError:
        try:
            candidates = _arrays(self._again())
        except MalformedError:
            candidates = []
        there = f"; there are: {', '.join(candidates[:_SHOWN])}" if candidates else ""
        return UsageError(f"{self._name}: has no records at --json-path {self._path}{there}")

    def _again(self) -> JsonText:
        return JsonText(self._source.stream(), self._name)


def _shape(text: JsonText, name: str) -> Shape | None:
    """The shape of a document; None for JSON Lines. Raises UsageError for one object in which
    records are."""
    first = text.peek()
    if first == b"[":
        return "array" if text.begins_with_object() or not _is_one_plain_array(text) else None
    if first != b"{":
        return None
    begins = text.line
    try:
        candidates = _arrays(text)
    except MalformedError:
        return None
    ends = text.line
    following = text.peek()
    is_over_lines = ends > begins or (following in (b"{", b",") and text.line == ends)
    is_line = not is_over_lines and name.rpartition(".")[2].lower() in _LINES
    if candidates and not following and not is_line:
        raise UsageError(
            f"{name}: is one JSON object with records in it: name them with --json-path "
            f"{' or '.join(candidates[:_SHOWN])}"
        )
    return "objects" if is_over_lines else None


def _is_one_plain_array(text: JsonText) -> bool:
    """True if the text begins with a whole array of plain values: one bad line among others."""
    try:
        items = orjson.loads(text.value())
    except (MalformedError, orjson.JSONDecodeError):
        return False
    return not all(isinstance(item, dict) for item in items)


def _arrays(text: JsonText, above: str = "", level: int = 1) -> list[str]:
    """The paths of arrays of objects in the object that comes next, which is then behind."""
    found = []
    for key in text.members():
        path = above + orjson.loads(key)
        first = text.peek()
        if first == b"{" and level < _LEVELS:
            found += _arrays(text, f"{path}.", level + 1)
            continue
        if first == b"[" and text.begins_with_object():
            found.append(path)
        text.value(keep=False)
    return found
