"""The rows of an output that keep its condition (`--where`), and the types that it sees."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from llmbatch.formats.base import WriteOptions
from llmbatch.formats.typed import TypedColumns, kinds_of
from llmbatch.pipeline.rows.columns import Layout
from llmbatch.store import snapshots
from llmbatch.store.database import Database
from llmbatch.store.row_filter import RowFilter

_WINDOW = 5_000

Row = tuple[str, Mapping[str, Any]]
"""The record of the input (JSON), and the values of its answer by column."""


class Condition(Protocol):
    """Lets some rows through."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Those that are to be written, in their order."""

    def widened(self, layout: Layout, options: WriteOptions) -> "Condition":
        """The same for an output that is begun anew with wider columns."""


class _All:
    """No condition."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        return iter(rows)

    def widened(self, layout: Layout, options: WriteOptions) -> "Condition":
        return self


ALL = _All()


class _Where:
    """A condition in SQL over all columns that the output could have."""

    def __init__(
        self, text: str, columns: Sequence[str], layout: Layout, options: WriteOptions
    ) -> None:
        self._text = text
        self._columns = columns
        self._typed = TypedColumns(columns, layout.columns, replace(options, order=None))
        self._filter = RowFilter(text, self._typed.table([]))

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        rest = iter(rows)
        while window := list(islice(rest, _WINDOW)):
            table = self._typed.table([self._typed.row(*row) for row in window])
            yield from (window[index] for index in self._filter.matching(table))

    def widened(self, layout: Layout, options: WriteOptions) -> "Condition":
        return _Where(self._text, self._columns, layout, options)


def compile_condition(
    where: str | None, columns: Sequence[str], layout: Layout, options: WriteOptions
) -> Condition:
    """The condition of an output with these columns of the input. Raises UsageError for one that
    is no SQL over its columns."""
    return ALL if where is None else _Where(where, columns, layout, options)


def types_of(db: Database, columns: Sequence[str]) -> dict[str, str]:
    """The types of the input's columns that are not text, by all of its rows."""
    windows = snapshots.windows(db, _WINDOW)
    return kinds_of(columns, (data for window in windows for _, data in window))
