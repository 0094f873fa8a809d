"""Arrow columns as JSON text, exact: no digit, fraction of a second or byte of a value is lost.

| Arrow | JSON |
|---|---|
| integers, decimals | numbers with all their digits (`1.10` stays 1.10) |
| floats | the shortest number that is read as the same float of their width; NaN, Infinity |
| text, categories | text |
| bytes | text in base64 |
| dates, times, timestamps | ISO 8601: `2024-01-31`, `12:30:00.5`, `2024-01-31T12:30:00+01:00` |
| durations, intervals | ISO 8601: `PT90.5S`, `P14M3DT0S` |
| lists, structs, maps | arrays, objects, objects |

NaN and Infinity are no JSON: who reads the text further decides on them.
"""

import base64
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import types

from llmbatch.core.exact_json import dump_record
from llmbatch.formats import arrow_times

NULL = "null"
Texts = list[str]


class UnreadableValueError(Exception):
    """A column has a value that cannot be written as JSON. `column`: its name."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column!r}: {reason}")


def records(batch: pa.RecordBatch, names: Sequence[str]) -> Iterator[str]:
    """The rows of a batch as JSON objects with these names for its columns. Raises
    UnreadableValueError for the whole batch if one of its values cannot be written."""
    if not names:
        yield from ["{}"] * batch.num_rows
        return
    columns = []
    for name, column in zip(names, batch.columns, strict=True):
        try:
            columns.append(texts(column))
        except UnicodeDecodeError as error:
            raise UnreadableValueError(name, "text that is not UTF-8") from error
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise UnreadableValueError(name, " ".join(str(error).split())) from error
    keys = [orjson.dumps(name).decode().replace("%", "%%") for name in names]
    form = "{" + ",".join(f"{key}:%s" for key in keys) + "}"
    for row in zip(*columns, strict=True):
        yield form % row


def texts(column: pa.Array) -> Texts:
    """The JSON text of every value of a column."""
    kind = column.type
    for is_kind, write in _WRITERS:
        if is_kind(kind):
            return write(column)
    return [NULL if value is None else dump_record(str(value)) for value in column.to_pylist()]


def holds_bytes(kind: pa.DataType) -> bool:
    """True if values of this type are, or have in them, bytes that are written in base64."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.extension_name != "arrow.uuid" and holds_bytes(kind.storage_type)
    if types.is_dictionary(kind):
        return holds_bytes(kind.value_type)
    inner = [kind.field(index).type for index in range(kind.num_fields)]
    return _is_bytes(kind) or any(map(holds_bytes, inner))


def _nulls(column: pa.Array) -> Texts:
    return [NULL] * len(column)


def _booleans(column: pa.Array) -> Texts:
    names = {None: NULL, True: "true", False: "false"}
    return [names[value] for value in column.to_pylist()]


def _integers(column: pa.Array) -> Texts:
    return [NULL if value is None else str(value) for value in column.to_pylist()]


def _floats(column: pa.Array) -> Texts:
    if types.is_float64(column.type):
        return [NULL if value is None else _float(repr(value)) for value in column.to_pylist()]
    # The shortest text depends on the width: 0.1 of 32 bits is 0.10000000149011612 of 64.
    values = column.cast(pa.float32()).to_numpy(zero_copy_only=False)
    narrow = values.astype("float16") if types.is_float16(column.type) else values
    valid = column.is_valid().to_pylist()
    return [_float(str(value)) if is_valid else NULL
            for value, is_valid in zip(narrow, valid, strict=True)]  # fmt: skip


def _float(text: str) -> str:
    return _NO_NUMBERS.get(text, text)


_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _decimals(column: pa.Array) -> Texts:
    return [NULL if value is None else format(value, "f") for value in column.to_pylist()]


def _strings(column: pa.Array) -> Texts:
    dumps = orjson.dumps
    return [NULL if value is None else dumps(value).decode() for value in column.to_pylist()]


def _bytes(column: pa.Array) -> Texts:
    return [
        NULL if value is None else f'"{base64.b64encode(value).decode()}"'
        for value in column.to_pylist()
    ]


def _decoded(column: pa.Array) -> Texts:
    if types.is_dictionary(column.type):
        return texts(column.dictionary_decode())
    return texts(arrow_times.compute().run_end_decode(column))


def _extended(column: pa.Array) -> Texts:
    name, storage = column.type.extension_name, column.storage
    if name == "arrow.uuid":
        return [
            NULL if value is None else f'"{uuid.UUID(bytes=value)}"'
            for value in storage.to_pylist()
        ]
    if name == "arrow.json":
        return [NULL if value is None else _json(value) for value in storage.to_pylist()]
    return texts(storage)


def _json(value: str) -> str:
    """JSON text as it is, on one line; text that is none is a string."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return dump_record(value)
    return value.replace("\r", " ").replace("\n", " ")


def _lists(column: pa.Array) -> Texts:
    if types.is_fixed_size_list(column.type) or types.is_list_view(column.type):
        return texts(column.cast(pa.list_(column.type.value_field)))
    starts = _starts(column)
    inner = texts(column.values.slice(column.offsets[0].as_py(), starts[-1]))
    return [
        f"[{','.join(inner[start:end])}]" if is_valid else NULL
        for is_valid, (start, end) in zip(_valid(column), pairwise(starts), strict=True)
    ]


def _starts(column: pa.Array) -> list[int]:
    """The places of the first inner value of each value of a list or map, and of the end."""
    first = column.offsets[0].as_py()
    return [offset - first for offset in column.offsets.to_pylist()]


def _valid(column: pa.Array) -> list[bool]:
    valid: list[bool] = column.is_valid().to_pylist()
    return valid


def _structs(column: pa.Array) -> Texts:
    fields = [column.type.field(index).name for index in range(column.type.num_fields)]
    if len(set(fields)) < len(fields):
        raise ValueError("an object that has the same name twice")
    batch = pa.RecordBatch.from_arrays(column.flatten(), names=fields)
    rows = records(batch, fields)
    return [text if is_valid else NULL for text, is_valid in zip(rows, _valid(column), strict=True)]


def _maps(column: pa.Array) -> Texts:
    starts, first = _starts(column), column.offsets[0].as_py()
    keys = [_key(text) for text in texts(column.keys.slice(first, starts[-1]))]
    values = texts(column.items.slice(first, starts[-1]))
    made = []
    for is_valid, (start, end) in zip(_valid(column), pairwise(starts), strict=True):
        if is_valid and len(set(keys[start:end])) < end - start:
            raise ValueError("a map that has the same key twice")
        pairs = zip(keys[start:end], values[start:end], strict=True)
        made.append("{" + ",".join(map(":".join, pairs)) + "}" if is_valid else NULL)
    return made


def _key(text: str) -> str:
    """The JSON text of a map's key, which has to be a string."""
    return text if text.startswith('"') else dump_record(text)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
    )


def _is_encoded(kind: pa.DataType) -> bool:
    return bool(types.is_dictionary(kind) or types.is_run_end_encoded(kind))


def _is_interval(kind: pa.DataType) -> bool:
    return bool(kind == pa.month_day_nano_interval())


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


# A map is a list, too, to some of these questions, so it comes first.
_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Texts]], ...] = (
    (_is_extension, _extended),
    (types.is_null, _nulls),
    (_is_text, _strings),
    (types.is_boolean, _booleans),
    (types.is_integer, _integers),
    (types.is_floating, _floats),
    (types.is_decimal, _decimals),
    (_is_bytes, _bytes),
    (types.is_date, arrow_times.dates),
    (types.is_time, arrow_times.times),
    (types.is_timestamp, arrow_times.timestamps),
    (types.is_duration, arrow_times.durations),
    (_is_interval, arrow_times.intervals),
    (_is_encoded, _decoded),
    (types.is_map, _maps),
    (_is_list, _lists),
    (types.is_struct, _structs),
)
