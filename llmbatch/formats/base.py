"""The two halves of a format, a reader and a writer, and the helpers that they share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from llmbatch.core import vectors
from llmbatch.core.exact_json import cell
from llmbatch.core.records import RAW_LIMIT, Record, Reject

ANSWER_TYPES = ("text", "integer", "number", "boolean", "json", "vector")
"""Types of answer columns. That of vectors is written with its numbers: see `core/vectors: KIND`.
"""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The reading of an input, as far as its user says; None, and the defaults, are to find out.

    `delimiter`, `quote` and `escape` are single characters, the last two "none" where there is
    none; `skip_lines` counts the lines above the header; `header`: whether the first line names
    the columns; `null`: texts that stand for a missing value; `json_path`: the keys to the records
    in a JSON document; `nan` "null": NaN and infinite numbers of JSON and Parquet are read as null;
    `sheet`: of a workbook, None: the first.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    skip_lines: int | None = None
    header: bool = True
    null: tuple[str, ...] = ()
    json_path: str | None = None
    nan: str | None = None
    sheet: str | None = None

    def given(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        usual = ReadOptions()
        each = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in each if value != getattr(usual, name)}


FIND_OUT = ReadOptions()
"""Nothing is said: all is found out."""


class Reader(Protocol):
    """One pass over an input. A context manager; leaving it closes the stream.

    `columns` are the names of the input columns, in order. A format with a header knows them when
    it is opened; one without has them all only after the iteration.
    A fault of one record is a Reject; a fault of the whole input raises UsageError, when it is
    opened or while it is read.
    """

    @property
    def columns(self) -> list[str]:
        """The names of the input columns, in order."""

    @property
    def notes(self) -> list[str]:
        """The findings about how the input is written that its user must know, a short line
        each. Complete after the iteration."""

    def __iter__(self) -> Iterator[Record | Reject]:
        """The records, in the order of the file, once."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Misfit(Exception):  # noqa: N818 (no error: the output is begun anew with another column)
    """A value that its column cannot hold."""

    def __init__(self, column: str, value: Any) -> None:
        super().__init__(f"column {column!r} cannot hold {cell(value)[:80]!r}")
        self.column = column


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The way in which an output is written. `order`: the columns that are written, of input and
    answer, in their order; None: all, those of the input first. `types`: of input columns whose
    values are not all text, for formats that have types (see ANSWER_TYPES). `excel`: CSV for that
    program; `delimiter`: of CSV, None: the format's own."""

    order: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    excel: bool = False
    delimiter: str | None = None


ALL_COLUMNS = WriteOptions()


class Writer(Protocol):
    """Writes output records into a binary stream, which stays the caller's to close. A context
    manager: the file is whole when the block has ended without an error. After one it is of no use,
    and nothing more is written into the stream once the block is left."""

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row: the record text of its input, and its answer by column.

        An answer value is a str, int, float, bool, None, or `Json` for text that is JSON already;
        in a column of vectors, which only formats with types have, an array of their numbers.
        An answer column that is left out counts as None; one that was not announced raises
        ValueError, and a value that its column's type cannot hold raises Misfit.
        """

    def notices(self) -> list[str]:
        """Lines on what a user has to know of the output, once it is whole."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ClosesStream:
    """The context manager half of a reader."""

    _stream: BinaryIO

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


class TellsNothing:
    """Of a writer that has nothing to tell of its output."""

    def notices(self) -> list[str]:
        return []


class HoldsNothing(TellsNothing):
    """The context manager half of a writer that has written all that it was given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """There is nothing to do."""


def reject(line: int, reason: str, raw: bytes) -> Reject:
    """A Reject whose raw text is printable for any bytes, and cut to its limit."""
    text = raw[: RAW_LIMIT * 4].rstrip(b"\r\n").decode(errors="backslashreplace")
    return Reject(line, reason, text.replace("\0", "\\x00")[:RAW_LIMIT])


def check_columns(columns: Sequence[str], answer_columns: Mapping[str, str]) -> None:
    """Refuse an output whose columns have the same name, or whose types are unknown.

    Raises ValueError: choosing names that do not clash is the caller's part.
    """
    clash = set(columns) & set(answer_columns)
    if clash:
        raise ValueError(f"columns of the input and of the answer at once: {sorted(clash)}")
    kinds = {"vector" if vectors.KIND.fullmatch(k) else k for k in answer_columns.values()}
    unknown = kinds - set(ANSWER_TYPES)
    if unknown:
        raise ValueError(f"unknown answer types: {sorted(unknown)}")


def ordered(
    columns: Sequence[str], answer_columns: Mapping[str, str], options: WriteOptions
) -> list[str]:
    """The names of the columns that are written, in their order. Raises ValueError for one that
    is neither of the input nor of the answer."""
    known = [*columns, *answer_columns]
    if options.order is None:
        return known
    if unknown := set(options.order) - set(known):
        raise ValueError(f"no such columns: {sorted(unknown)}")
    return list(options.order)


def answer_values(answer: Mapping[str, Any], names: Mapping[str, str]) -> list[Any]:
    """The values of an answer in the order of its columns; ValueError for an unknown column."""
    if not answer.keys() <= names.keys():
        raise ValueError(f"not a column of the answer: {sorted(answer.keys() - names.keys())}")
    return [answer.get(name) for name in names]
