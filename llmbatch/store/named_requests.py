"""The requests of the current plan, by their keys or by the ids of the rows that they answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.store import statements
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class NamedRequest:
    """A request of what is called `name`. `sample`: its place among those of a row; `attempts`: its
    tries so far; `verdict`: of the one that settled it, None while it is pending; `copies`: the
    rows that it answers."""

    name: str
    sample: int
    key: str
    body: str | None
    copies: int
    attempts: int
    verdict: str | None


def find(db: Database, names: Sequence[str], *, by_row: bool) -> dict[str, list[NamedRequest]]:
    """By name, the requests with these keys (32 hex digits), or with `by_row` those of rows with
    these ids, in the order of their samples."""
    statement = "requests_of_rows" if by_row else "requests_with_keys"
    found: dict[str, list[NamedRequest]] = {}
    for one in db.values(NamedRequest, _query(statement), {"names": list(names)}):
        found.setdefault(one.name, []).append(one)
    return found


def _query(name: str) -> str:
    return statements.load("row_answers.sql")[name]
