"""What a plan leaves to do, and what the runs before it tell about the next one."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llmbatch.store.database import Database
from llmbatch.store.statements import query

_ANSWERS = 256


@dataclass(frozen=True, slots=True)
class Left:
    """The requests of the current plan that are to be computed.

    `positions` in planned order; `rows` the numbers of the rows that each one is first met in,
    in input order. `engine` is what the last engine of the job said of itself, and `answers` are
    the lengths (tokens) of its newest answers; both are empty while there are none.
    """

    positions: Sequence[int]
    rows: Sequence[int]
    engine: dict[str, Any]
    answers: list[int]


def left(db: Database, store: Path | None) -> Left:
    """What is left of the plan in `db` when the job's own store at `store` is reused.

    None: as if there were no such store. Raises LockedError while a run holds it.
    """
    db.execute(query("stage_left"))
    engine: dict[str, Any] = {}
    answers: list[int] = []
    if store is not None:
        with db.attached(store, "former"):
            db.execute(query("drop_settled_in_former"))
            engine = orjson.loads(db.scalar(query("last_engine_in_former")) or "{}")
            answers = _numbers(db, "answer_lengths_in_former", {"most": _ANSWERS})
    return Left(_array(db, "left_positions"), _array(db, "left_rows"), engine, answers)


def answer_lengths(db: Database) -> list[int]:
    """The lengths (tokens) of the job's newest answers."""
    return _numbers(db, "answer_lengths", {"most": _ANSWERS})


def rows_at(db: Database, rows: Sequence[int]) -> list[str]:
    """The data (JSON) of these rows, in input order."""
    return [data for (data,) in db.execute(query("rows_at"), {"rows": list(rows)})]


def _numbers(db: Database, name: str, parameters: dict[str, Any] | None = None) -> list[int]:
    return [number for (number,) in db.execute(query(name), parameters or ())]


def _array(db: Database, name: str) -> Sequence[int]:
    """As `_numbers`, in a ninth of the memory: there may be ten million."""
    numbers = array("q")
    for chunk in db.arrow(query(name)).column(0).chunks:
        numbers.frombytes(memoryview(chunk.to_numpy()).tobytes())
    return numbers
