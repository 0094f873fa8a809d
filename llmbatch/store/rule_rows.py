"""The rows beside answers, for rules over both: of a run's requests, and of stored answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmbatch.core.stored import json_table
from llmbatch.store import arrow_columns, snapshots, statements
from llmbatch.store.database import Database

_WINDOW = 5_000
_STEP = 1_000_000
# A range of positions is read whole if at least one in so many of them is wanted.
_DENSE = 8


class NamedRow(NamedTuple):
    """A row by its id, with its record (JSON)."""

    row: int
    id: str
    data: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer of one request of a row. `key`, `attempt`: of the try that gave it."""

    row: NamedRow
    key: str
    attempt: int
    answer: str
    finish_reason: str | None
    prompt_tokens: int
    output_tokens: int
    reasoning: str | None


class PendingRows:
    """The rows of requests that a run computes. They are sorted once as the requests are, so that
    those of a group lie together."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._is_staged = False

    def of(self, positions: Sequence[int]) -> Mapping[int, list[NamedRow]]:
        """The rows of the requests at these positions."""
        if not self._is_staged:
            self._db.execute(_query("stage_pending_rows"))
            self._is_staged = True
        found = self._between(min(positions), max(positions), set(positions))
        if missing := [one for one in positions if one not in found]:
            # Of requests that have become pending since.
            records = self._db.execute(_query("rows_of_requests"), {"positions": missing})
            found |= self._by_position(records)
        return found

    def _between(self, first: int, last: int, wanted: set[int]) -> dict[int, list[NamedRow]]:
        if last - first < _DENSE * len(wanted):
            ranges = [(first, last)]
        else:
            ranges = [(one, one) for one in sorted(wanted)]
        found: dict[int, list[NamedRow]] = {}
        for start, end in ranges:
            place = {"first": start, "last": end}
            records = self._db.execute(_query("pending_rows_between"), place)
            found |= self._by_position([one for one in records if one[0] in wanted])
        return found

    def _by_position(self, records: Sequence[tuple[Any, ...]]) -> dict[int, list[NamedRow]]:
        found: dict[int, list[NamedRow]] = {}
        for position, row, name, data, *place in records:
            whole = snapshots.whole(self._db, data, *place)
            found.setdefault(position, []).append(NamedRow(row, name, whole))
        return found


def accepted(db: Database) -> Iterator[list[StoredAnswer]]:
    """The answers of the current plan, of each row in order, in windows. One such iterator, or one
    of `broken`, at a time."""
    yield from _windows(db, "collect_accepted")


def broken(db: Database) -> Iterator[list[StoredAnswer]]:
    """The same of the answers that broke a rule, of requests without another answer."""
    if has_broken(db):
        yield from _windows(db, "collect_broken")


def has_broken(db: Database) -> bool:
    """True if an answer to a request of the plan has ever broken a rule."""
    return bool(db.scalar(_query("has_broken")))


def _windows(db: Database, collect: str) -> Iterator[list[StoredAnswer]]:
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows")) + 1
    for start in range(1, end, _STEP):
        stop = min(start + _STEP, end)
        db.execute(_query(collect), {"first": start, "last": stop - 1})
        for first, last in snapshots.ranges(db, range(start, stop), _WINDOW):
            window = db.mappings(_query("judged_window"), {"first": first, "last": last})
            if window:
                yield [_answer(db, found) for found in window]


def _answer(db: Database, found: dict[str, Any]) -> StoredAnswer:
    place = (found.pop(name) for name in ("snapshot", "text_at", "text_bytes"))
    data = snapshots.whole(db, found.pop("data"), *place)
    row = NamedRow(found.pop("row"), found.pop("id"), data)
    del found["sample"]
    return StoredAnswer(row, **found)


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The number of the last attempt of a request; of the one that settled it (None: it is pending)
    and its verdict; and the rows that it answers, of one of several samples its share."""

    key: str
    last: int
    settled: int | None
    verdict: str | None
    rows: float


def last_attempts(db: Database, keys: Sequence[str]) -> dict[str, LastAttempt]:
    """The last attempts of these requests of the current plan."""
    statement = _query("last_attempts")
    found: dict[str, LastAttempt] = {}
    batch = arrow_columns.table({"key": list(keys)})
    for each in db.values_beside(LastAttempt, statement, batch):
        found[each.key] = each
    return found


def judged_by(db: Database) -> tuple[int, list[Any]] | None:
    """The plan of the newest run, and the rules of its job, under which every answer that the store
    had then, or got by it, was accepted; None before the first run."""
    found = db.execute(_query("last_run"))
    if not found:
        return None
    plan, spec = found[0]
    rules = json_table(spec).get("check")
    return plan, rules if isinstance(rules, list) else []


@dataclass(frozen=True, slots=True)
class RuleFailures:
    """The failures by a rule: by tries, and by rows that failed for it (of one of several
    samples its share)."""

    name: str
    tries: int
    rows: float


def failures(db: Database, names: Sequence[str]) -> list[RuleFailures]:
    """The failures by these rules, those of most tries first."""
    return db.values(RuleFailures, _query("failures_by_rule"), {"names": list(names)})


def _query(name: str) -> str:
    return statements.load("rule_rows.sql")[name]
