"""Tables of other libraries in and out: DataFrames of pandas and polars, Arrow, lists of dicts."""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa

from llmbatch.core import files
from llmbatch.core.errors import UsageError

Kind = Literal["pandas", "polars", "arrow", "records"]

# Rows of a DataFrame that are Python's objects at once.
_AT_A_TIME = 4096
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def kind_of(table: Any) -> Kind:
    """The library whose tables such a table goes with."""
    library = type(table).__module__.partition(".")[0]
    if library in ("pandas", "polars"):
        return "pandas" if library == "pandas" else "polars"
    return "arrow" if hasattr(table, "__arrow_c_stream__") else "records"


def is_name(table: Any) -> bool:
    """True for the name of a file, or a list of such names."""
    names = table if isinstance(table, list | tuple) else [table]
    return bool(names) and all(isinstance(name, str | os.PathLike) for name in names)


def write(table: Any, path: Path) -> None:
    """Write the table's rows as JSON Lines. Raises UsageError for a value that no JSON can hold."""
    with files.atomic(path) as stream:
        for number, row in enumerate(_rows(table), start=1):
            stream.write(_line(number, row))


def _rows(table: Any) -> Iterable[Any]:
    if kind_of(table) == "records":
        return _records(table)
    batches = _to_arrow(table).to_batches(max_chunksize=_AT_A_TIME)
    return (row for batch in batches for row in batch.to_pylist())


def _records(table: Any) -> Iterable[Any]:
    if isinstance(table, Mapping | str | bytes) or not isinstance(table, Iterable):
        raise UsageError(
            "input: must be the name of a file, a DataFrame, an Arrow table or a list of dicts "
            f"(got {type(table).__name__})"
        )
    return table


def _to_arrow(table: Any) -> pa.Table:
    try:
        if kind_of(table) == "pandas":
            return pa.Table.from_pandas(table, preserve_index=False)
        return pa.table(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(
            f"input: a column of the table holds values of several kinds: {reason}"
        ) from error


def _line(number: int, row: Any) -> bytes:
    if not isinstance(row, Mapping):
        raise UsageError(f"input: row {number} is no dict (got {type(row).__name__})")
    for name, value in row.items():
        if _is_endless(value):
            raise UsageError(
                f"input: row {number}, column {name!r}: holds an infinity, which JSON cannot; "
                "replace it, by None for instance"
            )
    try:
        return orjson.dumps(row, default=_text, option=_OPTIONS) + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"input: row {number}: cannot be written as JSON: {error}") from error


def _is_endless(value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, Mapping):
        return any(map(_is_endless, value.values()))
    return isinstance(value, list | tuple) and any(map(_is_endless, value))


def _text(value: Any) -> Any:
    """A value that JSON has no kind for: decimals are texts, the relatives of NaN null."""
    if isinstance(value, set | frozenset):
        raise TypeError(f"a {type(value).__name__} has no order")
    if isinstance(value, bytes):
        raise TypeError("bytes are no text")
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)


def from_arrow(table: pa.Table, kind: Kind) -> Any:
    """A table of the library that `kind` names. Raises UsageError where that is not installed."""
    if kind == "arrow":
        return table
    if kind == "records":
        return table.to_pylist()
    try:
        if kind == "pandas":
            return table.to_pandas()
        import polars

        return polars.from_arrow(table)
    except ImportError as error:
        raise UsageError(f"{kind} is not installed: pip install {kind}") from error
