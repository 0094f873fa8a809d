"""The flags of rows: rules of the job that do not hold and only flag, and warning signs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pyarrow as pa

from llmbatch.store import arrow_columns, statements
from llmbatch.store.database import Database

_WINDOW = 20_000
_SHAPE = pa.schema(
    [("row", pa.int64()), ("origin", pa.string()), ("name", pa.string()), ("detail", pa.string())]
)

Origin = Literal["check", "sign"]


class Flag(NamedTuple):
    """A flag of a row. `name`: of the rule or of the sign; `detail`: a few words, or None."""

    row: int
    origin: Origin
    name: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class FlagCount:
    """The rows of the current plan that have a flag."""

    origin: str
    name: str
    rows: int


def is_current(db: Database, origin: Origin, settings: str) -> bool:
    """True if the flags of this origin are those of today's plan and answers, by these settings."""
    return bool(db.scalar(_query("is_current"), {"origin": origin, "settings": settings}))


def last_pass(db: Database, origin: Origin) -> list[int] | None:
    """The numbers that tell the last pass for this origin from all others; None before the first:
    its plan, and how many attempts and reopenings there were."""
    found = db.execute(_query("last_pass"), {"origin": origin})
    return list(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Of rows that are as they were, those that are looked at again: with an answer of which the
    logarithm of 1 + its characters is `least` from the `median`, or which has at most two words and
    `short` characters; with the answer of other rows (`answer_survey.SharedAnswers`, if `shared`);
    with a flag of these `names` before."""

    median: float
    least: float
    short: int
    shared: bool
    names: Sequence[str]


def to_look_at(db: Database, origin: Origin, settings: str, doubt: Doubt) -> Sequence[int] | None:
    """The rows whose flags may be others than those of the same record in the plan before,
    ascending; None where they are not known, or are most of the rows."""
    if db.carried is None:
        return None
    run = db.scalar(_query("first_run_of_process"))
    kept = {"plan": db.carried.plan, "origin": origin, "settings": settings, "run": run}
    if run is None or not db.scalar(_query("can_renew"), kept):
        return None
    db.execute(
        _query("stage_rows_to_look_at"),
        {
            "run": run,
            "plan": db.carried.plan,
            "origin": origin,
            "median": doubt.median,
            "least": doubt.least,
            "short": doubt.short,
            "names": list(doubt.names),
        },
    )
    if doubt.shared:
        db.execute(_query("add_rows_to_look_at"))
    rows = db.integers(_query("rows_to_look_at"))
    return rows if 2 * len(rows) < int(db.scalar("SELECT count(*) FROM rows")) else None


def replace(
    db: Database,
    origin: Origin,
    batches: Iterable[Sequence[Flag]],
    settings: str = "",
    *,
    carries: bool = False,
) -> None:
    """Replace the flags of this origin by those of the current plan's rows, each given once.
    `settings`: all that decides on them beside the answers, see `is_current`. `carries`: those of
    rows that are not `to_look_at` stay as they were."""
    db.execute(_query("stage_flags"))
    for batch in batches:
        table = arrow_columns.typed_table(list(zip(*batch, strict=True)) or [()] * 4, _SHAPE)
        db.insert(_query("stage_flag"), table)
    if carries and db.carried is not None:
        kept = {"plan": db.carried.plan, "origin": origin}
        db.execute(_query("stage_carried_flags"), kept)
    with db.transaction():
        db.execute(_query("delete_flags"), {"origin": origin})
        db.execute(_query("insert_flags"))
        db.execute(_query("delete_flag_pass"), {"origin": origin})
        db.execute(_query("insert_flag_pass"), {"origin": origin, "settings": settings})


def counts(db: Database) -> list[FlagCount]:
    """The flags of the current plan, that of most rows first."""
    return db.values(FlagCount, _query("flag_counts"))


def flagged_rows(db: Database) -> int:
    """The rows of the current plan that have a flag at all."""
    return int(db.scalar(_query("flagged_rows")))


@dataclass(frozen=True, slots=True)
class FlagExample:
    """The first row of the input that has a flag: its id and line."""

    origin: str
    name: str
    id: str
    line: int
    detail: str | None


def rows_by_origin(db: Database) -> dict[str, int]:
    """The rows of the current plan that have a flag, by the origin of such flags."""
    return dict(db.execute(_query("flagged_rows_by_origin")))


def examples(db: Database) -> list[FlagExample]:
    """A row for each flag of the current plan."""
    return db.values(FlagExample, _query("flag_examples"))


class Flags:
    """The flags of rows, which are asked for in ascending order."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._end = 0
        self._flags: dict[int, list[Flag]] = {}

    def of(self, row: int) -> list[Flag]:
        """The flags of a row, by origin and name."""
        if row >= self._end:
            self._end = row + _WINDOW
            self._flags = {}
            for found in self._db.execute(_query("flags_window"), {"first": row, "end": self._end}):
                self._flags.setdefault(found[0], []).append(Flag(*found))
        return self._flags.get(row, [])


def _query(name: str) -> str:
    return statements.load("flags.sql")[name]
