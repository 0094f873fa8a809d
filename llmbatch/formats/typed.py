"""The types of columns: their Arrow types, and values made fit for them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from llmbatch.core import vectors
from llmbatch.core.exact_json import cell, parse_record
from llmbatch.formats.base import (
    Misfit,
    WriteOptions,
    answer_values,
    check_columns,
    ordered,
)

TEXT = "text"
_MOST_EXACT = 2**53
"""Integers up to here are floats without a loss."""


class TypedColumns:
    """The columns of an output with types: a row's values in their order.

    Input columns are text where the options give no other type, null where the value is missing or
    null. Text and json are strings, integer int64, number float64, boolean bool. Text holds every
    value, a number as it was written. A number with a fraction or an exponent becomes the nearest
    float64, as for other readers of JSON. Vectors are lists of float32 or float16, of a fixed size
    where that is known.
    """

    def __init__(
        self,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions,
    ) -> None:
        check_columns(columns, answer_columns)
        self._answer = dict(answer_columns)
        kinds = {name: options.types.get(name, TEXT) for name in columns} | self._answer
        self.kinds = {name: kinds[name] for name in ordered(columns, answer_columns, options)}
        self.schema = pa.schema(
            [pa.field(name, _arrow_type(kind)) for name, kind in self.kinds.items()]
        )

    def row(self, data: str, answer: Mapping[str, Any]) -> list[Any]:
        """The values of a row. Raises Misfit for one that its column cannot hold."""
        values = parse_record(data)
        values.update(zip(self._answer, answer_values(answer, self._answer), strict=True))
        return [_typed(name, kind, values.get(name)) for name, kind in self.kinds.items()]

    def table(self, rows: Sequence[Sequence[Any]]) -> pa.Table:
        """Some rows as an Arrow table."""
        by_column = zip(*rows, strict=True) if rows else [()] * len(self.schema)
        arrays = [
            _array(values, field.type) for values, field in zip(by_column, self.schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def kinds_of(columns: Sequence[str], records: Iterable[str]) -> dict[str, str]:
    """The types of the values of these columns in all records (JSON), for those that are not text:
    integer, number or boolean where every value is one. Values of several types, integers beyond
    64 bits and numbers that a float cannot hold make a column text."""
    seen: dict[str, set[str]] = {name: set() for name in columns}
    open_columns = list(columns)
    for data in records:
        if not open_columns:
            return {}
        values = parse_record(data)
        for name in open_columns:
            if (value := values.get(name)) is not None:
                seen[name].add(_kind(value))
        open_columns = [name for name in open_columns if TEXT not in seen[name]]
    merged = {name: _merged(kinds) for name, kinds in seen.items()}
    return {name: kind for name, kind in merged.items() if kind != TEXT}


def _merged(kinds: set[str]) -> str:
    if kinds == {"small integer", "number"}:
        return "number"
    if kinds <= {"small integer", "integer"} and kinds:
        return "integer"
    return next(iter(kinds)) if len(kinds) == 1 else TEXT


def _kind(value: Any) -> str:
    """The type of a value; of an integer also whether it is a float without a loss."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            return TEXT
        return "small integer" if abs(value) <= _MOST_EXACT else "integer"
    if isinstance(value, float):
        return "number" if _fits(_number, value) else TEXT
    return TEXT


def _fits(convert: Callable[[Any], Any], value: Any) -> bool:
    try:
        convert(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _typed(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return _vector(value, kind) if kind not in _TYPES else _TYPES[kind][1](value)
    except (TypeError, ValueError, OverflowError):
        shown = value.tolist() if isinstance(value, np.ndarray) else value
        raise Misfit(name, shown) from None


def _arrow_type(kind: str) -> pa.DataType:
    if kind in _TYPES:
        return _TYPES[kind][0]
    numbers = pa.float16() if kind.startswith("float16") else pa.float32()
    return pa.list_(numbers, vectors.width_of(kind) or -1)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values of a column. Those of vectors go in as they lie in memory."""
    whole = pa.types.is_fixed_size_list(kind) and values and all(v is not None for v in values)
    if not whole:
        return pa.array(values, type=kind)
    flat = pa.array(np.concatenate(values), type=kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def _vector(value: Any, kind: str) -> Any:
    """The numbers of a vector. Raises ValueError for one of another width."""
    width = vectors.width_of(kind)
    if not isinstance(value, np.ndarray) or (width is not None and len(value) != width):
        raise ValueError
    return value


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
