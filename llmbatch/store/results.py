"""What became of the rows, read for the outputs and the reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmbatch.core.errors import InvariantError
from llmbatch.core.records import Reject
from llmbatch.store import statements
from llmbatch.store.database import Database
from llmbatch.store.statements import query

_WINDOW = 50_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows in = answered + failed + rejected once nothing is pending."""

    answered: int = 0
    failed: int = 0
    pending: int = 0
    rejected: int = 0

    @property
    def rows_in(self) -> int:
        return self.answered + self.failed + self.pending + self.rejected


def counts(db: Database) -> Counts:
    """The states of all rows of the current plan."""
    states = {state: rows for state, rows, _ in db.execute(query("count_states"))}
    rejected = int(db.scalar("SELECT count(*) FROM rejects"))
    return Counts(
        states.get("answered", 0), states.get("failed", 0), states.get("pending", 0), rejected
    )


def verify(db: Database) -> None:
    """Raise InvariantError unless every record of the input is answered, failed, pending or
    rejected, once."""
    if off := int(db.scalar(statements.load("invariants.sql")["every_record_has_one_state"])):
        raise InvariantError(
            f"rows in is not answered + failed + rejected: off by {off:,}; no output was written, "
            "see `llmbatch check`"
        )


def collect(db: Database) -> None:
    """Take the state of all rows at this moment, sorted, for `in_input_order`."""
    db.execute(query("collect_results"))


def in_input_order(db: Database, states: list[str]) -> Iterator[dict[str, Any]]:
    """Rows in the given states, in input order: row, line, id, data and the columns of
    `row_states`. Needs `collect` first."""
    last = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows"))
    for first in range(1, last + 1, _WINDOW):
        bounds = {"first": first, "last": first + _WINDOW - 1, "states": states}
        yield from db.mappings(query("results_window"), bounds)


def rejects(db: Database) -> Iterator[Reject]:
    """The rejects, in the order of their lines."""
    offset = 0
    while window := db.execute(query("rejects_in_order"), [_WINDOW, offset]):
        yield from (Reject(*fields) for fields in window)
        offset += len(window)


def violations(db: Database) -> dict[str, int]:
    """Every invariant by name, with the number of violations found (0 when it holds)."""
    named = statements.load("invariants.sql")
    return {name: int(db.scalar(statement) or 0) for name, statement in named.items()}


def report(db: Database, name: str) -> list[dict[str, Any]]:
    """The records of one of the report's queries (see the end of queries.sql)."""
    return db.mappings(query(name))
