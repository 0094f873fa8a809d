"""The choice of some rows of an input: `--where`, then `--offset` and `--limit`.

The choice is made when the input is read, so that the plan, the output and all counts have these
rows alone. Answers to others stay in the store, and a later run without the choice finds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from llmbatch.core.errors import UsageError
from llmbatch.formats.base import WriteOptions
from llmbatch.formats.typed import TypedColumns
from llmbatch.job.input import InputSpec
from llmbatch.pipeline.rows import chosen_rows
from llmbatch.store import snapshots
from llmbatch.store.database import Database
from llmbatch.store.row_filter import RowFilter

_WINDOW = 5_000
_ADVICE = (
    "; the values of a CSV file are text, other columns have a type where all of their values are "
    "of one: write CAST(x AS DOUBLE) or CAST(x AS VARCHAR)"
)


@dataclass(frozen=True, slots=True)
class RowChoice:
    """The rows that keep the condition `where` (None: all), without the first `offset`, and of the
    rest the first `limit` (None: all). `flags`: how a user has said so."""

    where: str | None
    limit: int | None
    offset: int
    flags: str

    @classmethod
    def of(cls, given: InputSpec) -> "RowChoice | None":
        """The choice of a job; None where all rows are taken."""
        return cls(given.where, given.limit, given.offset, given.part) if given.is_part else None

    def rows(self, db: Database, columns: list[str]) -> list[int]:
        """The numbers of the chosen ones of the rows in the store, ascending. Raises UsageError for
        a condition that cannot be computed."""
        found = iter(snapshots.numbers(db)) if self.where is None else matching(
            db, columns, self.where
        )  # fmt: skip
        end = None if self.limit is None else self.offset + self.limit
        return list(islice(found, self.offset, end))

    def note(self, chosen: int, read: int) -> str:
        """The line that tells a user that these are not all rows."""
        return f"only {chosen:,} of its {read:,} rows are taken ({self.flags})"


def matching(db: Database, columns: list[str], where: str) -> Iterator[int]:
    """The numbers of the rows in the store that keep a condition, ascending."""
    types = chosen_rows.types_of(db, columns)
    typed = TypedColumns(columns, {}, WriteOptions(types=types))
    try:
        condition = RowFilter(where, typed.table([]))
        for window in snapshots.windows(db, _WINDOW):
            table = typed.table([typed.row(data, {}) for _, data in window])
            yield from (window[index][0] for index in condition.matching(table))
    except UsageError as error:
        said = str(error)
        is_of_types = any(word in said for word in ("cast", "convert", "type"))
        raise UsageError(said + _ADVICE * is_of_types) from error
