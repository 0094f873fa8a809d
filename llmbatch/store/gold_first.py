"""The rows whose right answer is known, which run before the others: which of them are pending."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmbatch.store import arrow_columns, snapshots, statements
from llmbatch.store.database import Database

_WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class GoldStates:
    """The gold rows of the current plan that are `settled` (answered or failed), `pending`, or
    `skipped`, and the different requests of those that are asked."""

    settled: int
    pending: int
    skipped: int
    requests: int

    @property
    def asked(self) -> int:
        """The gold rows that are or will be settled."""
        return self.settled + self.pending


def pointer(column: str) -> str:
    """The JSON Pointer of a column in the record of a row (RFC 6901)."""
    return "/" + column.replace("~", "~0").replace("/", "~1")


def rows_of_column(db: Database, column: str) -> list[int]:
    """The rows that have something in this column of the input, ascending."""
    found = db.execute(_query("gold_first_of_column"), {"pointer": pointer(column)})
    return [row for (row,) in found]


def take(db: Database, rows: Sequence[int]) -> None:
    """Take these rows of the input for the functions below."""
    db.execute(_query("stage_gold_first"))
    db.insert(_query("stage_gold_first_row"), arrow_columns.table({"row": list(rows)}))


def states(db: Database) -> GoldStates:
    """The states of the rows that were taken."""
    (found,) = db.values(GoldStates, _query("gold_first_states"))
    return found


def pending(db: Database) -> list[int]:
    """Those of them that are pending, ascending."""
    return [row for (row,) in db.execute(_query("gold_first_pending"))]


def positions(db: Database, rows: Sequence[int]) -> list[int]:
    """The places in the plan of the pending requests of these rows, ascending."""
    found = db.execute(_query("positions_of_rows"), {"rows": list(rows)})
    return [position for (position,) in found]


def settled(db: Database) -> list[int]:
    """Those of them that are answered or failed, ascending."""
    return [row for (row,) in db.execute(_query("gold_first_settled"))]


def rows_of_input(
    db: Database, rows: Sequence[int] | None = None
) -> Iterator[tuple[int, str, int, str]]:
    """Rows of the input, ascending, or some of them: row, id, line and record."""
    last, only = 0, None if rows is None else list(rows)
    while True:
        wanted = {"after": last, "rows": only, "most": _WINDOW}
        found = db.execute(_query("rows_of_input"), wanted)
        for row, id, line, data, *place in found:
            yield row, id, line, snapshots.whole(db, data, *place)
        if len(found) < _WINDOW:
            return
        last = found[-1][0]


def _query(name: str) -> str:
    return statements.load("gold_first.sql")[name]
