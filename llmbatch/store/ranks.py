"""The ranks of answered rows within their groups, by the scores in their answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from llmbatch.store import arrow_columns
from llmbatch.store.database import Database
from llmbatch.store.statements import query

_WINDOW = 20_000
_REQUESTS = pa.schema([("key", pa.string()), ("name", pa.string())])
_ROWS = pa.schema([("row", pa.int64()), ("name", pa.string())])


@dataclass(frozen=True, slots=True)
class RankCounts:
    """`groups` with an answered row, and their answered rows: those among the best (`kept`), and
    the `others`."""

    groups: int
    kept: int
    others: int


def group_requests(db: Database, pairs: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Put all rows of a request into its group: (key of 32 hex digits, name of the
    group)."""
    db.execute(query("stage_request_groups"))
    for batch in pairs:
        db.insert(query("stage_request_group"), _table(batch, _REQUESTS))
    db.execute(query("group_rows_of_requests"))


def group_rows(db: Database, pairs: Iterable[Sequence[tuple[int, str]]]) -> None:
    """Put rows into groups: (row, name of the group)."""
    db.execute(query("stage_row_groups"))
    for batch in pairs:
        db.insert(query("stage_row_group"), _table(batch, _ROWS))


def rank(db: Database, top: int | None) -> RankCounts:
    """Rank the answered rows of each group, the highest score first and of equal ones the first
    row, for `Ranks`; only the best `top` of each group keep their rank (None: all)."""
    db.execute(query("rank_rows"))
    (found,) = db.values(RankCounts, query("rank_counts"), {"top": top})
    db.execute(query("keep_best"), {"top": top})
    return found


class Ranks:
    """The ranks of rows, which are asked for in ascending order."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._end = 0
        self._ranks: dict[int, int] = {}

    def of(self, row: int) -> int | None:
        """The rank of a row, from 1; None for one that has none."""
        if row >= self._end:
            self._end = row + _WINDOW
            self._ranks = dict(self._db.execute(query("ranks_window"), [row, self._end]))
        return self._ranks.get(row)


def _table(batch: Sequence[tuple[object, str]], schema: pa.Schema) -> pa.Table:
    return arrow_columns.typed_table(list(zip(*batch, strict=True)) or [(), ()], schema)
