"""Shares: the part of a job's rows that the store of a shard holds.

The planned order is cut into as many ranges of the same work as there are shards. All shards read
and plan the whole input, so each finds the same ranges by itself; it keeps its own.
"""

from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.errors import UsageError
from llmbatch.store import statements
from llmbatch.store.database import Database

# An answer takes about as long as the reading of so many characters.
_ANSWER = 1_000


@dataclass(frozen=True, slots=True)
class Share:
    """The `shard`, from 1, of `shards`, of requests that are `asked` in this way (a digest);
    `separate`: equal ones are computed each."""

    shard: int
    shards: int
    asked: str
    separate: bool = False


@dataclass(frozen=True, slots=True)
class HeldShare:
    """The share that a store holds, and what the whole has: `rows`, `rejects`, and different
    `requests`. `asked`: see `Share`."""

    snapshot: int
    shard: int
    shards: int
    asked: str
    rows: int
    rejects: int
    requests: int


def held(db: Database) -> HeldShare | None:
    """The share of the newest snapshot that the store holds; None: it holds all of it."""
    found = db.values(HeldShare, _query("held"))
    return found[0] if found else None


def has_run(db: Database) -> bool:
    """True if a run of the current plan has begun."""
    return bool(db.scalar(_query("has_run")))


def choose(db: Database, share: Share) -> None:
    """Choose the rows of the share among those that were rendered, by the keys that they have
    before any takes another one. Raises UsageError for rows that are several requests."""
    if divided := db.scalar(_query("divided_rows")):
        raise UsageError(
            f"--shard: {units.count(divided, 'row')} with several requests each, which may be "
            "those of other rows, too: run this job without shards"
        )
    db.execute(_query("place"), {"each": share.separate, "answer": _ANSWER})
    db.execute(_query("choose"), _numbers(share) | {"each": share.separate})


def drop_others(db: Database) -> None:
    """Drop the rendered rows that were not chosen."""
    db.execute(_query("drop_other_rendered"))


def keep(db: Database, share: Share, snapshot: int) -> None:
    """Make the chosen rows, and a part of the rejects, all that the store holds of the snapshot;
    within the transaction that plans them."""
    numbers, of = _numbers(share), {"snapshot": snapshot}
    db.execute(_query("forget"))
    db.execute(_query("keep"), numbers | of | {"asked": share.asked})
    db.execute(_query("drop_other_rows"))
    db.execute(_query("drop_other_rejects"), numbers)
    db.execute(_query("count_rest"), numbers | of)


def drop_chosen(db: Database) -> None:
    """Drop the tables of `choose`."""
    for name in ("drop_temporary", "drop_share_rows"):
        db.execute(_query(name))


def _numbers(share: Share) -> dict[str, object]:
    return {"shard": share.shard, "shards": share.shards}


def _query(name: str) -> str:
    return statements.load("shares.sql")[name]
