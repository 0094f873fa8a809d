"""JSON Lines: one JSON object a line, kept as the text that it came as."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, BinaryIO

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import Json, dump_record, parse_record, splice
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
from llmbatch.formats.text_source import TextSource

# The deepest nesting of values: the JSON libraries can also write it again.
MAX_DEPTH = 250

_KINDS = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


class JsonlReader(ClosesStream):
    """Reads one JSON object from each line that is not blank.

    `columns` is the union of the keys, in the order in which they were first seen, complete after
    the iteration. Raises UsageError for an input that is one JSON document over all its lines.
    """

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        self._stream = stream
        self._name = name
        text = TextSource(stream, name, options.encoding)
        self.notes = [f"reading {found}" for found in text.found]
        self._columns: dict[str, None] = {}
        self._lines = enumerate(text.lines(), 1)
        self._first = next((line for line in self._lines if not _is_blank(line[1])), None)
        if self._first:
            self._check_document(self._first[1])

    @property
    def columns(self) -> list[str]:
        """The keys seen so far."""
        return list(self._columns)

    def __iter__(self) -> Iterator[Record | Reject]:
        columns = self._columns
        first, self._first = self._first, None
        for number, raw in chain([first] if first else [], self._lines):
            if type(raw) is lines.Oversize:
                yield reject(number, lines.too_long(), raw)
                continue
            text = raw.strip()
            if not text:
                continue
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                yield reject(number, _fault(raw, error), raw)
                continue
            if type(value) is not dict:
                yield reject(number, f"not a JSON object but {_kind(value)}", raw)
            elif len(text) > MAX_DEPTH and _too_deep(text, value):
                yield reject(number, f"nested deeper than {MAX_DEPTH} levels", raw)
            else:
                if not value.keys() <= columns.keys():
                    columns |= dict.fromkeys(value)
                yield Record(number, text.decode())

    def _check_document(self, raw: bytes) -> None:
        """Refuse an input that is one JSON document, by its first line."""
        text = raw.strip()
        if text == b"{":
            raise UsageError(
                f"{self._name}: is JSON over several lines, not JSON Lines: convert it with jq -c ."
            )
        if text.startswith(b"[") and _opens_array(text):
            raise UsageError(
                f"{self._name}: is a JSON array, not JSON Lines: convert it with jq -c '.[]'"
            )


def _is_blank(raw: bytes) -> bool:
    """True if a line is blank; of an overlong one only the beginning is known."""
    return type(raw) is not lines.Oversize and not raw.strip()


def _opens_array(text: bytes) -> bool:
    """True if a line that begins with `[` begins an array of records.

    A complete array of plain values is one bad line among others; anything else is the document.
    """
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError:
        return True
    return all(isinstance(item, dict) for item in items)


def _fault(raw: bytes, error: orjson.JSONDecodeError) -> str:
    """The reason why a line is no JSON; positions count from 1 at the beginning of the line."""
    if b"\0" in raw:
        return "NUL byte"
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return f"invalid UTF-8 at byte {bad.start + 1}"
    indent = len(raw) - len(raw.lstrip())
    reason = error.msg.partition(": line ")[0]
    return f"invalid JSON at column {error.colno + indent}: {reason}"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _too_deep(text: bytes, value: object) -> bool:
    """True if `value` is nested too deeply; few brackets answer it without a walk."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return depth > MAX_DEPTH


class JsonlWriter(HoldsNothing):
    """Writes each input record as it came, with the answer's members added at its end.

    The whole record is written, with all its columns, unless the options name some; a `Json` value
    becomes part of it. Lines end with a newline.
    """

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions = ALL_COLUMNS,
    ) -> None:
        check_columns(columns, answer_columns)
        self._stream = stream
        self._answer = dict(answer_columns)
        self._order = options.order and ordered(columns, answer_columns, options)

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        values = dict(zip(self._answer, answer_values(answer, self._answer), strict=True))
        if self._order is None:
            line = splice(data, {name: _text(value) for name, value in values.items()})
        else:
            record = parse_record(data) | values
            chosen = {name: _text(record[name]) for name in self._order if name in record}
            line = splice("{}", chosen)
        self._stream.write(f"{line}\n".encode())


def _text(value: Any) -> str:
    return value.text if isinstance(value, Json) else dump_record(value)
