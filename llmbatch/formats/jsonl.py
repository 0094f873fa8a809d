"""JSON Lines: one JSON object a line, kept as the text that it came as."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

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
)
from llmbatch.formats.json_records import JsonRecords
from llmbatch.formats.text_source import TextSource


class JsonlReader(ClosesStream):
    """Reads one JSON object from each line that is not blank.

    `columns` is the union of the keys, in the order in which they were first seen, complete after
    the iteration. For JSON that is not one object a line see `json_document`.
    """

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        self._stream = stream
        text = TextSource(stream, name, options.encoding)
        self._found = text.found
        self._records = JsonRecords(options.nan)
        self._lines = enumerate(text.lines(), 1)

    @property
    def columns(self) -> list[str]:
        """The keys seen so far."""
        return list(self._records.columns)

    @property
    def notes(self) -> list[str]:
        return [f"reading {found}" for found in self._found] + self._records.notes

    def __iter__(self) -> Iterator[Record | Reject]:
        records = self._records
        for number, raw in self._lines:
            if type(raw) is lines.Oversize or not raw.isspace():
                yield records.record(number, raw)


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
