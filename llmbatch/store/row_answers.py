"""The answers of rows request by request, where `results` has one value for each row."""

from collections.abc import Iterator
from typing import Any

from llmbatch.core.records import Sampling
from llmbatch.store import snapshots, statements
from llmbatch.store.database import Database

_WINDOW = 20_000
_STEP = 1_000_000
_USUAL = Sampling().max_tokens


def in_input_order(db: Database) -> Iterator[dict[str, Any]]:
    """Each request of the answered rows, those of a row in the order of its samples: row, sample,
    line, id, data, request (its key), answer, finish_reason, reasoning, logprobs and tokens. One
    such iterator at a time."""
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows")) + 1
    for start in range(1, end, _STEP):
        stop = min(start + _STEP, end)
        db.execute(_query("collect_row_answers"), {"first": start, "last": stop - 1})
        for first, last in snapshots.ranges(db, range(start, stop), _WINDOW):
            for found in db.mappings(_query("row_answers_window"), {"first": first, "last": last}):
                place = (found.pop(name) for name in ("snapshot", "text_at", "text_bytes"))
                found["data"] = snapshots.whole(db, found["data"], *place)
                yield found


def longest_wanted(db: Database) -> int:
    """The most tokens that a request of the plan allows its answer; one that allows as many as the
    context takes counts as the usual limit of a job."""
    return int(db.scalar(_query("longest_wanted"), {"usual": _USUAL}))


def _query(name: str) -> str:
    return statements.load("row_answers.sql")[name]
