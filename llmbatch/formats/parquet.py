"""Parquet, for output: input columns as text, answer columns with their types."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from llmbatch.core.errors import UsageError
from llmbatch.core.values import cell, parse_record
from llmbatch.formats.base import answer_values, check_columns

BATCH_ROWS = 10_000


def refuse_input(stream: BinaryIO, name: str) -> NoReturn:
    """Parquet cannot be read yet."""
    raise UsageError(f"{name}: Parquet input is not supported yet: export it as CSV or JSONL")


class ParquetWriter:
    """Writes one row group for each batch of rows.

    Input columns are strings, null where the value is missing or null: a column may hold numbers in
    one row and text in another. Answer columns: text and json are strings, integer int64, number
    float64, boolean bool. `write` raises UsageError, naming row and column, for a value that its
    type cannot hold, such as an integer beyond 64 bits: CSV and JSONL hold it.
    """

    def __init__(
        self, stream: BinaryIO, columns: Sequence[str], answer_columns: Mapping[str, str]
    ) -> None:
        check_columns(columns, answer_columns)
        self._columns = list(columns)
        self._answer = dict(answer_columns)
        fields = [pa.field(name, pa.string()) for name in self._columns]
        fields += [pa.field(name, _TYPES[kind][0]) for name, kind in self._answer.items()]
        self._schema = pa.schema(fields)
        self._file = pq.ParquetWriter(stream, self._schema)
        self._held: list[list[Any]] = []
        self._rows = 0

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        self._rows += 1
        record = parse_record(data)
        row: list[Any] = [_text(record.get(column)) for column in self._columns]
        values = answer_values(answer, self._answer)
        for (name, kind), value in zip(self._answer.items(), values, strict=True):
            row.append(self._typed(name, kind, value))
        self._held.append(row)
        if len(self._held) >= BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        """Write the last rows and the footer."""
        self._flush()
        self._file.close()

    def _typed(self, name: str, kind: str, value: Any) -> Any:
        if value is None:
            return None
        try:
            return _TYPES[kind][1](value)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(
                f"output row {self._rows}, column {name!r}: {cell(value)[:80]!r} does not fit the "
                f"Parquet type of '{kind}': export as CSV or JSONL"
            ) from None

    def _flush(self) -> None:
        if not self._held:
            return
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*self._held, strict=True), self._schema, strict=True)
        ]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._held = []


def _text(value: Any) -> str | None:
    return None if value is None else cell(value)


def _integer(value: Any) -> int:
    """An int64; JSON Schema also calls 2.0 an integer."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_TYPES: dict[str, tuple[pa.DataType, Callable[[Any], Any]]] = {
    "text": (pa.string(), _text),
    "json": (pa.string(), _text),
    "integer": (pa.int64(), _integer),
    "number": (pa.float64(), _number),
    "boolean": (pa.bool_(), _boolean),
}
