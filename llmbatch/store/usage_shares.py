"""The usage of groups of rows, by the values of columns: each attempt divided among its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.store.database import Database
from llmbatch.store.statements import query

# As for the outputs: a join of all rows with all attempts does not fit into the store's memory.
_STEP = 1_000_000


@dataclass(frozen=True, slots=True)
class RunRates:
    """The worth of a token of a run: device seconds of a computed prompt token and of an output
    token; money for those and for a cached prompt token. `attempt_seconds`, `attempt_cost`: the
    worth of each attempt, regardless of its tokens."""

    run: int
    prompt_seconds: float
    output_seconds: float
    computed_cost: float
    cached_cost: float
    output_cost: float
    attempt_seconds: float = 0.0
    attempt_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class UsageShare:
    """The usage of some rows: `values` are theirs of the columns as text, None where there is none.
    `rows` are settled, `pending_rows` are not. Tokens may be fractions, since rows may share a
    request."""

    values: tuple[str | None, ...]
    rows: int
    pending_rows: int
    computed_prompt_tokens: float
    output_tokens: float
    seconds: float
    cost: float


@dataclass(frozen=True, slots=True)
class UsageShares:
    """`most`: the groups of rows that used most, the costliest first; `others`: all other groups
    together; `gone`: requests that no row has any more, without the `former` ones, of runs that
    asked in another way. Each is None where there are none."""

    most: list[UsageShare]
    others: UsageShare | None
    gone: UsageShare | None
    former: UsageShare | None


def divide(
    db: Database,
    columns: Sequence[str],
    rates: Sequence[RunRates],
    most: int,
    former: Sequence[int],
) -> UsageShares:
    """All attempts of the runs with `rates`, by the values of `columns` of the current plan's rows;
    `former`: the runs that asked in another way.

    Values are compared as text: a string as it is, a number as JSON writes its value, so that
    the string "7" and the number 7 are one, and so are 1.10 and 1.1.
    """
    stage(db, rates)
    pointers = [_pointer(name) for name in columns]
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows")) + 1
    for start in range(1, end, _STEP):
        last = min(start + _STEP, end) - 1
        db.execute(query("add_used"), {"pointers": pointers, "first": start, "last": last})
    found = [
        UsageShare(tuple(first), *rest) for first, *rest in _records(db, "used_most", most=most)
    ]
    (total,) = _records(db, "used_in_all")
    left = _records(db, "used_by_no_row", former=list(former))
    gone, past = ([used[1:] for used in left if used[0] is of] for of in (False, True))
    return UsageShares(
        found,
        _rest(UsageShare((), *total), found),
        UsageShare((), 0, 0, *gone[0]) if gone else None,
        UsageShare((), 0, 0, *past[0]) if past else None,
    )


def stage(db: Database, rates: Sequence[RunRates]) -> None:
    """Let the store know what the tokens of these runs are worth."""
    columns = {
        "runs": [rate.run for rate in rates],
        "prompt_seconds": [rate.prompt_seconds for rate in rates],
        "output_seconds": [rate.output_seconds for rate in rates],
        "computed_cost": [rate.computed_cost for rate in rates],
        "cached_cost": [rate.cached_cost for rate in rates],
        "output_cost": [rate.output_cost for rate in rates],
        "attempt_seconds": [rate.attempt_seconds for rate in rates],
        "attempt_cost": [rate.attempt_cost for rate in rates],
    }
    db.execute(query("stage_run_rates"), columns)
    db.execute(query("stage_attempt_shares"))
    db.execute(query("stage_used"))


def _records(db: Database, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return db.execute(query(name), parameters or ())


def _rest(total: UsageShare, found: Sequence[UsageShare]) -> UsageShare | None:
    """The total without the groups of `found`."""
    rows = total.rows - sum(used.rows for used in found)
    pending = total.pending_rows - sum(used.pending_rows for used in found)
    if rows + pending == 0:
        return None
    computed = sum(used.computed_prompt_tokens for used in found)
    output = sum(used.output_tokens for used in found)
    seconds = sum(used.seconds for used in found)
    cost = sum(used.cost for used in found)
    return UsageShare(
        (),
        rows,
        pending,
        max(0.0, total.computed_prompt_tokens - computed),
        max(0.0, total.output_tokens - output),
        max(0.0, total.seconds - seconds),
        max(0.0, total.cost - cost),
    )


def _pointer(column: str) -> str:
    """The JSON pointer (RFC 6901) to a member of a record."""
    return "/" + column.replace("~", "~0").replace("/", "~1")
