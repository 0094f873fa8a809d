"""The formats by name. To add one: a module, and a line in `FORMATS`."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

from llmbatch.core.errors import UsageError, nearest
from llmbatch.formats.base import (
    ALL_COLUMNS,
    FIND_OUT,
    Reader,
    ReadOptions,
    WriteOptions,
    Writer,
)
from llmbatch.formats.packed import SUFFIXES, open_input


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the suffixes that name it, and `module:attribute` of its two halves.

    The reader is called with (stream, name, options), the writer with (stream, columns,
    answer_columns, options).
    """

    suffixes: tuple[str, ...]
    reader: str
    writer: str


FORMATS = {
    "csv": Format((".csv",), "csv_reader:CsvReader", "csv:CsvWriter"),
    "tsv": Format((".tsv", ".tab"), "csv_reader:TsvReader", "csv:TsvWriter"),
    "jsonl": Format((".jsonl", ".ndjson"), "json_document:open_json", "jsonl:JsonlWriter"),
    "parquet": Format((".parquet", ".pq"), "parquet_reader:ParquetReader", "parquet:ParquetWriter"),
    "xlsx": Format((".xlsx",), "sheet_reader:SheetReader", "sheet:SheetWriter"),
    # Its answers are lines of another shape (`pipeline/rows/batch_output`).
    "openai-batch": Format((), "json_document:open_json", "jsonl:JsonlWriter"),
    "npy": Format((".npy",), "npy:refuse_input", "npy:NpyWriter"),
    # The rows are written as Parquet first, which is then loaded (`store/output_table`).
    "duckdb": Format((".duckdb",), "parquet:refuse_database", "parquet:ParquetWriter"),
}

# Functions for the columns of a file; without one the reader says them.
_COLUMNS = {"parquet": "parquet:columns", "xlsx": "sheet:columns"}

_TEXT_TABLES = ("csv", "tsv")
_TABLES = (*_TEXT_TABLES, "xlsx")
# The formats in which a setting of the reading means something.
_MEANT_FOR = {
    "delimiter": _TEXT_TABLES,
    "quote": _TEXT_TABLES,
    "escape": _TEXT_TABLES,
    "encoding": (*_TEXT_TABLES, "jsonl", "openai-batch"),
    "skip_lines": _TABLES,
    "header": _TABLES,
    "null": _TABLES,
    "json_path": ("jsonl",),
    "sheet": ("xlsx",),
}
_NAMES = {"jsonl": "JSON", "xlsx": "workbooks"}
_WRITTEN_SUFFIXES = {suffix: name for name, known in FORMATS.items() for suffix in known.suffixes}
_BY_SUFFIX = _WRITTEN_SUFFIXES | {".json": "jsonl", ".xlsm": "xlsx"}


def detect(path: str, format: str | None, *, writing: bool = False) -> str:
    """The name of a file's format: the given one, or the one that its suffix names.

    `.gz` and the like at the end are looked through when reading; packed output is refused.
    Raises UsageError when the format is unknown.
    """
    plain = PurePath(path)
    if (packing := plain.suffix).lower() in SUFFIXES:
        if writing:
            raise UsageError(
                f"{path}: output is written unpacked: leave out {packing}, pack it later"
            )
        plain = plain.with_suffix("")
    if format is not None:
        return _known(format)
    suffix = plain.suffix.lower()
    suffixes = _WRITTEN_SUFFIXES if writing else _BY_SUFFIX
    if suffix not in suffixes:
        what = f"no format has the suffix {suffix!r}" if suffix else "has no suffix"
        raise UsageError(
            f"{path}: {what}{nearest(suffix, suffixes)}; "
            f"rename it to one of {', '.join(suffixes)} or name the format: {', '.join(FORMATS)}"
        )
    return _BY_SUFFIX[suffix]


def _known(format: str) -> str:
    if format not in FORMATS:
        raise UsageError(
            f"format {format!r}: no such format{nearest(format, FORMATS)}; "
            f"use one of: {', '.join(FORMATS)}"
        )
    return format


def is_known(path: str) -> bool:
    """True if the name of a file, packed or not, says its format."""
    plain = PurePath(path)
    plain = plain.with_suffix("") if plain.suffix.lower() in SUFFIXES else plain
    return plain.suffix.lower() in _BY_SUFFIX


def open_reader(
    name: str, stream: BinaryIO, format: str, options: ReadOptions = FIND_OUT
) -> Reader:
    """A reader of the named format over a binary stream; `name` stands in messages.

    Raises UsageError when the input as a whole cannot be used.
    """
    _check_options(name, _known(format), options)
    reader: Reader = _load(FORMATS[format].reader)(stream, name, options)
    return reader


def _check_options(name: str, format: str, options: ReadOptions) -> None:
    """Raise UsageError for a setting that means nothing in this format."""
    for setting in options.given():
        meant = _MEANT_FOR.get(setting, FORMATS)
        if format not in meant:
            flag = "--no-header" if setting == "header" else f"--{setting.replace('_', '-')}"
            kinds = "CSV and TSV" if "csv" in meant else _NAMES[next(iter(meant))]
            raise UsageError(f"{name}: {flag} is for {kinds}, and this is {format}: leave it out")


def open_writer(
    stream: BinaryIO,
    format: str,
    columns: Sequence[str],
    answer_columns: Mapping[str, str],
    options: WriteOptions = ALL_COLUMNS,
) -> Writer:
    """A writer of the named format into an open binary file.

    `columns` are the input columns; `answer_columns` maps a name to "text", "integer", "number",
    "boolean" or "json". Raises ValueError when the two share a name.
    """
    writer: Writer = _load(FORMATS[_known(format)].writer)(stream, columns, answer_columns, options)
    return writer


def check_rows(path: str, format: str, rows: int) -> None:
    """Raise UsageError, before anything is computed, if so many rows cannot be written in a format,
    or if a library for it is not installed."""
    if format == "xlsx":
        _load("sheet:check_rows")(path, rows)


# The way in which llmbatch writes: nothing of it is to be found out.
_WRITTEN = ReadOptions(encoding="utf-8", skip_lines=0)


def written_columns(path: str, format: str) -> list[str]:
    """The columns of a file that should be of the named format; none if it is not."""
    if format in _COLUMNS:
        names: list[str] = _load(_COLUMNS[format])(path)
        return names
    try:
        with open_input(path) as stream, open_reader(path, stream, format, _WRITTEN) as reader:
            return list(reader.columns)
    except UsageError:
        return []


def _load(target: str) -> Any:
    """A class of a format's module, imported only now: pyarrow is slow to import."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(f"llmbatch.formats.{module}"), attribute)
