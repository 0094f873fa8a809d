"""Arrow tables made of Python values, without pandas.

`pyarrow.array` imports pandas, where it is installed, only to know its types: half a second of
every command. There, columns of text, numbers and times are built of their bytes instead, as the
Arrow columnar format has them (https://arrow.apache.org/docs/format/Columnar.html).
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

# Times are without a zone.
_ARROW = {int: pa.int64(), float: pa.float64(), datetime: pa.timestamp("us")}
_NUMPY = {pa.int64(): "i8", pa.float64(): "f8", pa.timestamp("us"): "M8[us]"}


def table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns by name; each has the type of its values, None being none."""
    arrays = [_inferred(values) for values in columns.values()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def typed_table(columns: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Columns in the order of the schema. Raises as `pyarrow.array` does for values of other types
    than the schema says."""
    arrays = [_typed(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def int64s(chunk: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The values of an array of int64 without nulls."""
    data = np.frombuffer(chunk.buffers()[1], np.int64)
    return data[chunk.offset : chunk.offset + len(chunk)]


def _costs_nothing() -> bool:
    """True if pandas is not installed, or imported already: then pyarrow's own way is the quicker
    one for many values."""
    return "pandas" in sys.modules or not _is_installed()


@cache
def _is_installed() -> bool:
    return find_spec("pandas") is not None


def _inferred(values: Sequence[Any]) -> pa.Array:
    if _costs_nothing():
        return pa.array(values)
    kinds = _kinds(values)
    if not kinds:
        return pa.nulls(len(values))
    if all(issubclass(kind, str) for kind in kinds):
        return _text(values)
    if kinds == {bool}:
        return _flags(values)
    kind = _ARROW.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is None or _has_zones(values):
        return pa.array(values)
    return _numbers(values, kind)


def _kinds(values: Sequence[Any]) -> set[type]:
    """The types of the values that are not None."""
    return set(map(type, values)) - {type(None)}


def _has_zones(values: Sequence[Any]) -> bool:
    return any(isinstance(value, datetime) and value.tzinfo is not None for value in values)


def _typed(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if _costs_nothing():
        return pa.array(values, kind)
    if kind == pa.string():
        return _text(values)
    if kind in _NUMPY and all(_ARROW.get(found) == kind for found in _kinds(values)):
        return _numbers(values, kind)
    return pa.array(values, kind)


def _text(values: Sequence[str | None]) -> pa.Array:
    builder = pa.lib.StringBuilder()
    builder.append_values(values)
    return builder.finish()


def _flags(values: Sequence[bool | None]) -> pa.Array:
    """Bits: a cast of numbers would import pyarrow's functions, which are 12 MiB."""
    valid = _bits(value is not None for value in values) if None in values else None
    return pa.Array.from_buffers(pa.bool_(), len(values), [valid, _bits(map(bool, values))])


def _bits(values: Iterable[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(list(values), bool), bitorder="little"))


def _numbers(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    valid = None
    if None in values:
        valid = _bits(value is not None for value in values)
        some = next((value for value in values if value is not None), 0)
        values = [some if value is None else value for value in values]
    data = pa.py_buffer(np.array(values, _NUMPY[kind]))
    return pa.Array.from_buffers(kind, len(values), [valid, data])
