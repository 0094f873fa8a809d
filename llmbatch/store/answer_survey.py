"""All answers of a job, looked at together: their lengths, some of them, and those that the rows of
different requests share. Answers that were given several times count once for each request."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.store import statements
from llmbatch.store.database import Database

_WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class AnswerLengths:
    """The `answers`, the median of the logarithm of 1 + their characters, and the median distance
    from it."""

    answers: int
    median: float
    spread: float


def lengths(db: Database) -> AnswerLengths:
    """The lengths of the answers of the current plan."""
    (found,) = db.values(AnswerLengths, _query("answer_lengths"))
    return found


def sample(db: Database, most: int, least: int) -> list[str]:
    """`most` different answers of `least` characters or more, at most; always the same ones,
    whatever the order of the rows."""
    found = db.execute(_query("answer_sample"), {"most": most, "least": least})
    return [answer for (answer,) in found]


class SharedAnswers:
    """Rows that have the same answer of `least` characters or more as others, of another request.
    Asked for in ascending order."""

    def __init__(self, db: Database, least: int) -> None:
        self._db = db
        self._end = 0
        self._others: dict[int, list[str]] = {}
        for name in ("stage_shared_answers", "stage_shared_rows", "stage_shared_inputs"):
            parameters = {"least": least} if name == "stage_shared_answers" else {}
            db.execute(_query(name), parameters)
        self._is_any = bool(db.scalar("SELECT count(*) FROM shared_rows"))

    def of(self, row: int) -> list[str]:
        """The records of the input (JSON) of up to four other requests with the answer of this row:
        always the same ones, whatever the order of the rows."""
        if not self._is_any:
            return []
        if row >= self._end:
            self._end = row + _WINDOW
            self._others = dict(self._window(row))
        return self._others.get(row, [])

    def _window(self, row: int) -> Iterator[tuple[int, list[str]]]:
        yield from self._db.execute(_query("shared_window"), {"first": row, "end": self._end})


def _query(name: str) -> str:
    return statements.load("answer_survey.sql")[name]
