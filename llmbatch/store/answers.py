"""The answers of a job, looked at for a report: examples, the most common, and their values."""

from dataclasses import dataclass
from typing import Any

from llmbatch.store import statements
from llmbatch.store.database import Database

# Beyond so many requests, every n-th answer is looked at: all of them would not fit into memory.
MOST_REQUESTS = 100_000
# Characters of a value or an example that are kept.
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class AnswerExample:
    """An answered row: its id, its line, and the beginning of its answer."""

    id: str
    line: int
    answer: str


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value (its first 1,000 characters), and the number of rows that have it."""

    value: str
    rows: int


@dataclass(frozen=True, slots=True)
class AnswersInAll:
    """The answers that are looked at: their `rows`, how many answers differ, the rows whose answer
    is blank, the characters of the longest one, and the position of its request."""

    rows: int
    distinct_answers: int
    empty_rows: int
    longest: int | None
    longest_position: int | None


@dataclass(frozen=True, slots=True)
class ValuesInAll:
    """The values that are looked at: how many differ (`kinds`), the rows that have one, those that
    have none (`missing`), and those whose value is no number."""

    kinds: int
    rows: int
    missing: int
    no_numbers: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The least number, the median and the mean over rows, and the largest; None without any."""

    least: float | None
    median: float | None
    mean: float | None
    largest: float | None


def look_at(db: Database, requests: int) -> AnswersInAll:
    """Take the answers of the current plan's requests, or every n-th of them where there are more
    than a hundred thousand, for the functions below."""
    step = max(1, -(-requests // MOST_REQUESTS))
    db.execute(_query("stage_answers"), {"step": step})
    (found,) = db.values(AnswersInAll, _query("answers_in_all"))
    return found


def most_common(db: Database) -> ValueCount | None:
    """The answer that most rows have; None without answers."""
    found = db.values(ValueCount, _query("answers_most_common"), {"longest": _LONGEST})
    return found[0] if found else None


def first_middle_last(db: Database) -> list[AnswerExample]:
    """Three answered rows, spread over the input, or as many as there are."""
    return _at(db, [each["row"] for each in db.recall(_query("answer_places"))])


def of_request(db: Database, position: int) -> AnswerExample:
    """The first row that the request at this position answers."""
    return _at(db, [db.scalar(_query("answer_row"), {"position": position})])[0]


def _at(db: Database, rows: list[int]) -> list[AnswerExample]:
    found = {"rows": rows, "longest": _LONGEST}
    return db.recall_values(AnswerExample, _query("answers_at"), found)


def take_values(db: Database, member: str | None) -> ValuesInAll:
    """Take a member of the answers, or all of each (None), for the functions below."""
    if member is None:
        db.execute(_query("stage_whole"))
    else:
        pointer = "/" + member.replace("~", "~0").replace("/", "~1")
        db.execute(_query("stage_part"), {"pointer": pointer})
    (found,) = db.values(ValuesInAll, _query("values_in_all"))
    return found


def count_values(db: Database, most: int) -> list[ValueCount]:
    """The values that most rows have, `most` at most."""
    return db.values(ValueCount, _query("values_counted"), {"most": most, "longest": _LONGEST})


def measure_values(db: Database) -> Measured:
    """The values that are numbers, measured."""
    (found,) = db.values(Measured, _query("values_measured"))
    return found


def _query(name: str) -> Any:
    return statements.load("answers.sql")[name]
