"""The best rows of each group: which rows are a group, and the rank of each in its own."""

from collections.abc import Iterator

import orjson

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.pipeline.rows.output_file import Best
from llmbatch.store import plans, ranks, snapshots
from llmbatch.store.database import Database
from llmbatch.store.ranks import RankCounts
from llmbatch.store.snapshots import Snapshot

_WINDOW = 5_000


def check(best: Best, snapshot: Snapshot) -> None:
    """Raise UsageError if the groups are made by a column that the input does not have."""
    name, known = best.group_by, snapshot.source.columns
    if name is not None and snapshot.row_count and name not in known:
        raise UsageError(
            f"--group-by: no column {name!r} in {snapshot.source.input}{nearest(name, known)}; "
            f"columns: {', '.join(known[:20]) or 'none'}"
        )


def rank(db: Database, best: Best) -> RankCounts:
    """Rank the answered rows of the current plan, for `store.ranks.Ranks`."""
    if best.group_by is None:
        ranks.group_requests(db, _by_query(db))
    else:
        ranks.group_rows(db, _by_column(db, best.group_by))
    return ranks.rank(db, best.top)


def _by_query(db: Database) -> Iterator[list[tuple[str, str]]]:
    """The requests, in the groups of their rendered queries."""
    count = plans.counts(db).requests
    for first in range(0, count, _WINDOW):
        yield [
            (planned.key, _query(planned.messages))
            for planned in plans.requests(db, first, first + _WINDOW - 1)
        ]


def _query(messages: str) -> str:
    return next((text for role, text in orjson.loads(messages) if role == "query"), "")


def _by_column(db: Database, column: str) -> Iterator[list[tuple[int, str]]]:
    """The rows, in the groups of their values; those without one are a group, too."""
    for window in snapshots.windows(db, _WINDOW):
        yield [(row, _value(data, column)) for row, data in window]


def _value(data: str, column: str) -> str:
    """The value as JSON: a number and a text are two groups."""
    text = exact_json.dump_record({"": exact_json.parse_record(data).get(column)})
    return text.encode(errors="backslashreplace").decode()  # half a character is no text
