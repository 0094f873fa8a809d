"""Parquet, for output: columns with their types."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import pyarrow as pa
import pyarrow.parquet as pq

from llmbatch.core.errors import UsageError
from llmbatch.formats.base import ALL_COLUMNS, TellsNothing, WriteOptions
from llmbatch.formats.typed import TypedColumns

BATCH_ROWS = 10_000


def refuse_database(stream: BinaryIO, name: str) -> NoReturn:
    """A database is no input by itself."""
    raise UsageError(f"{name}: a database cannot be read as an input: export a table as JSONL")


def columns(path: str) -> list[str]:
    """The names of the columns of a file; none if it is not Parquet."""
    try:
        names: list[str] = pq.read_schema(path).names
    except pa.ArrowInvalid:
        return []
    return names


class ParquetWriter(TellsNothing):
    """Writes one row group for each batch of rows; for the types see `TypedColumns`."""

    def __init__(
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        answer_columns: Mapping[str, str],
        options: WriteOptions = ALL_COLUMNS,
    ) -> None:
        self._typed = TypedColumns(columns, answer_columns, options)
        self._file = pq.ParquetWriter(stream, self._typed.schema)
        self._held: list[list[Any]] = []

    def write(self, data: str, answer: Mapping[str, Any]) -> None:
        """Add a row."""
        self._held.append(self._typed.row(data, answer))
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
        if self._held:
            self._file.write_table(self._typed.table(self._held))
            self._held = []
