"""Parquet, for output: input columns as text, answer columns with their types."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from llmbatch.core.exact_json import cell, parse_record
from llmbatch.formats.base import Misfit, answer_values, check_columns

BATCH_ROWS = 10_000


def columns(path: str) -> list[str]:
    """The names of the columns of a file; none if it is not Parquet."""
    try:
        names: list[str] = pq.read_schema(path).names
    except pa.ArrowInvalid:
        return []
    return names


class ParquetWriter:
    """Writes one row group for each batch of rows.

    Input columns are strings, null where the value is missing or null: a column may hold numbers in
    one row and text in another. Answer columns: text and json are strings, integer int64, number
    float64, boolean bool. Text holds every value, a number as it was written. A number with a
    fraction or an exponent becomes the nearest float64, as for other readers of JSON.
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

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        record = parse_record(data)
        row: list[Any] = [_text(record.get(column)) for column in self._columns]
        values = answer_values(answer, self._answer)
        for (name, kind), value in zip(self._answer.items(), values, strict=True):
            row.append(_typed(name, kind, value))
        self._held.append(row)
        if len(self._held) >= BATCH_ROWS:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the last rows and the footer.

        After an error, too, it has to be closed: else it would write its footer when it is
        collected, into a stream that is closed by then, or has been begun anew."""
        try:
            if error is None:
                self._flush()
                self._file.close()
            else:
                with suppress(Exception):
                    self._file.close()
        finally:
            self._file.is_open = False

    def _flush(self) -> None:
        if not self._held:
            return
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*self._held, strict=True), self._schema, strict=True)
        ]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._held = []


def _typed(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return _TYPES[kind][1](value)
    except (TypeError, ValueError, OverflowError):
        raise Misfit(name, value) from None


def _text(value: Any) -> str | None:
    return None if value is None else cell(value)


def _integer(value: Any) -> int:
    """An int64; JSON Schema also calls 2.0 an integer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not -(2**63) <= value < 2**63:
        raise OverflowError
    # As it was written: a float may have rounded its fraction away.
    if not isinstance(value, int) and value.is_integer() and Decimal(str(value)) != int(value):
        raise ValueError
    if value != int(value):
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    """The nearest float64, but for whole numbers whose digits it would change, and those of which
    nothing would be left."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(value)
    if isinstance(value, int):
        is_lost = number != value
    else:
        is_lost = math.isinf(number) or (number == 0 and Decimal(str(value)) != 0)
    if is_lost:
        raise ValueError
    return number


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
