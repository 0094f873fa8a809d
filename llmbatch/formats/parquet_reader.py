"""Parquet, for input: rows as JSON records, exact whatever their types (see `arrow_json`)."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from llmbatch.core.errors import UsageError
from llmbatch.core.records import RAW_LIMIT, Record, Reject
from llmbatch.formats import arrow_json, packed
from llmbatch.formats.arrow_json import UnreadableValueError
from llmbatch.formats.base import FIND_OUT, ClosesStream, ReadOptions
from llmbatch.formats.column_names import own_names
from llmbatch.formats.json_records import CURE, nulled_notes, without_nan

# A batch has about so many bytes, by what the file says of its rows, and at most so many rows: text
# that comes again and again is larger in memory than the file says.
_BATCH_BYTES = 16 * 1024 * 1024
_BATCH_ROWS = 256
_BUFFER = 1024 * 1024


class ParquetReader(ClosesStream):
    """Reads one row of a Parquet file after the other; its line is its ordinal, from 1."""

    def __init__(self, stream: BinaryIO, name: str, options: ReadOptions = FIND_OUT) -> None:
        self._name = name
        self._stream = packed.as_file(stream)
        try:
            self._file = pq.ParquetFile(self._stream, buffer_size=_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            self._stream.close()
            raise UsageError(f"{name}: is not Parquet, or damaged: {_line(error)}") from error
        self._nan_is_null, self._nulled = options.nan == "null", 0
        self._schema = self._file.schema_arrow
        self._columns, self._notes = own_names(self._schema.names)
        for column, field in zip(self._columns, self._schema, strict=True):
            if arrow_json.holds_bytes(field.type):
                self._notes.append(f"column {column!r} holds bytes: read as base64")

    @property
    def columns(self) -> list[str]:
        """The names of the file's columns."""
        return list(self._columns)

    @property
    def notes(self) -> list[str]:
        """One line for each thing found of which a user should know."""
        return self._notes + nulled_notes(self._nulled)

    def __iter__(self) -> Iterator[Record | Reject]:
        line = 0
        try:
            for batch in self._file.iter_batches(batch_size=self._batch_rows(), use_threads=False):
                for found in self._records(batch, line):
                    line += 1
                    yield found
        except (pa.ArrowException, OSError) as error:
            reason = f"cannot be read after row {line:,}: {_line(error)}"
            raise UsageError(f"{self._name}: {reason}") from error

    def _batch_rows(self) -> int:
        held = self._file.metadata
        size: int = sum(
            held.row_group(index).total_byte_size for index in range(held.num_row_groups)
        )
        each: int = size // max(1, held.num_rows) + 1
        return max(1, min(_BATCH_ROWS, _BATCH_BYTES // each))

    def _records(self, batch: pa.RecordBatch, before: int) -> Iterator[Record | Reject]:
        """The rows of a batch, of which so many came before."""
        try:
            texts = list(arrow_json.records(batch, self._columns))
        except UnreadableValueError as error:
            if batch.num_rows == 1:
                yield Reject(before + 1, str(error), "")
                return
            for index in range(batch.num_rows):
                yield from self._records(batch.slice(index, 1), before + index)
            return
        check = any(_holds_floats(field.type) for field in self._schema)
        for line, text in enumerate(texts, before + 1):
            fault = _fault(text) if check else None
            mended = without_nan(text.encode()) if fault and self._nan_is_null else None
            if mended is not None:
                self._nulled += 1
                yield Record(line, mended.decode())
            else:
                yield Reject(line, fault, text[:RAW_LIMIT]) if fault else Record(line, text)


def _holds_floats(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        return _holds_floats(kind.value_type)
    inner = (kind.field(index).type for index in range(kind.num_fields))
    return types.is_floating(kind) or any(map(_holds_floats, inner))


class _NoNumber:
    """NaN or Infinity, which is no JSON."""

    def __init__(self, word: str) -> None:
        self.word = word


def _fault(text: str) -> str | None:
    """The reason why a record is no JSON: a number that JSON has no word for."""
    if "NaN" not in text and "Infinity" not in text:
        return None
    record = json.loads(text, parse_constant=_NoNumber)
    for name, value in record.items():
        if found := _no_number(value):
            return f"column {name!r} holds {found}, which {CURE}"
    return None


def _no_number(value: Any) -> str | None:
    """The first word in a value that stands for no JSON number."""
    if isinstance(value, _NoNumber):
        return value.word
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return None
    return next(filter(None, map(_no_number, inner)), None)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
