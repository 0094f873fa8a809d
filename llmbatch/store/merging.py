"""The stores of a job's shards, made one store, as if one run after the other had worked on it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from llmbatch.core import drafts, files
from llmbatch.store import long_texts, opening, plans, snapshots, statements
from llmbatch.store.database import Database
from llmbatch.store.frames import Columns
from llmbatch.store.opening import open_store
from llmbatch.store.shares import HeldShare

_WINDOW = 100_000
# Their records name a run, and nothing else that is numbered.
_OF_RUNS = ("engine_starts", "engine_deaths", "forecasts", "checkpoints", "run_ends")
# What is found of the whole input: each shard has the same.
_OF_INPUT = ("field_orders", "input_profiles")
_REPLANNED = "merged"
# After the digest of an input of which shards are missing, so that it is read again.
_PART = " part"


class RunName(NamedTuple):
    """A run, as it is known in any store: when it began, and which process it was."""

    started_at: datetime
    started_seconds: float | None
    pid: int
    host: str


@dataclass(frozen=True, slots=True)
class Source:
    """The store of a shard; `numbers`: its runs, in their order there."""

    store: Path
    share: HeldShare
    plan_digest: str
    requests: int
    numbers: Sequence[RunName]


@dataclass(slots=True)
class _Numbers:
    """The new numbers of what the sources have numbered, by source and old number. The newest
    snapshots and plans of all are one."""

    snapshots: list[dict[int, int]] = field(default_factory=list)
    plans: list[dict[int, int]] = field(default_factory=list)
    runs: list[dict[int, int]] = field(default_factory=list)
    snapshot: int = 1
    plan: int = 1


def run_names(db: Database) -> list[RunName]:
    """All runs, the oldest first."""
    return [RunName(*columns) for _, *columns in db.execute(_query("order_of_runs"))]


def source(db: Database, share: HeldShare) -> Source:
    """The store of a shard, which is open."""
    plan = plans.current(db)
    assert plan is not None, "a share is planned"
    requests = int(db.scalar(_query("planned_requests")))
    return Source(db.path, share, plan.digest, requests, run_names(db))


def merge(db: Database, sources: Sequence[Source]) -> None:
    """Fill the new store `db` with what those of the shards hold, by the shards' numbers. With
    fewer than all shards, the next run reads the input again."""
    numbers = _Numbers()
    _number_runs(sources, numbers)
    for each in sources:
        with open_store(each.store, read_only=True) as part:
            _number_former(db, part, numbers)
    for name in ("stage_rows", "stage_planned"):
        db.execute(_query(name))
    offset = 0
    for each in sources:
        with open_store(each.store, read_only=True) as part:
            _take_rows(db, part, numbers, offset)
        offset += each.requests
    with db.transaction():
        for name in ("settle_rows", "settle_planned"):
            db.execute(_query(name))
    for name in ("drop_rows", "drop_planned"):
        db.execute(_query(name))
    for at, each in enumerate(sources):
        with open_store(each.store, read_only=True) as part:
            if at == 0:
                _take_whole(db, part, sources, numbers)
            _take_work(db, part, each.share.shard, at, numbers)
    _take_texts(db, sources, numbers)


def _number_runs(sources: Sequence[Source], numbers: _Numbers) -> None:
    """The runs of all shards in the order in which they began."""
    every = [
        (name.started_at, at, run)
        for at, each in enumerate(sources)
        for run, name in enumerate(each.numbers, 1)
    ]
    numbers.runs = [{} for _ in sources]
    for number, (_, at, run) in enumerate(sorted(every), 1):
        numbers.runs[at][run] = number


def _number_former(db: Database, part: Database, numbers: _Numbers) -> None:
    """Take the former snapshots and plans of a shard; the newest ones of all are one."""
    newest, plan = snapshots.newest(part), plans.current(part)
    assert newest is not None, "a share is of a snapshot"
    assert plan is not None, "a share is planned"
    mapped: dict[int, int] = {}
    former = part.columns("FROM snapshots WHERE snapshot < ? ORDER BY snapshot", [newest.snapshot])
    for place, old in enumerate(former["snapshot"]):
        mapped[old] = former["snapshot"][place] = numbers.snapshot
        numbers.snapshot += 1
    planned: dict[int, int] = {}
    earlier = part.columns("FROM plans WHERE plan < ? ORDER BY plan", [plan.plan])
    kept = [place for place, old in enumerate(earlier["snapshot"]) if old in mapped]
    # A plan of the newest snapshot that another took the place of is not told from that.
    planned |= {old: -1 for old, of in _pairs(earlier) if of not in mapped}
    for place in kept:
        planned[earlier["plan"][place]] = numbers.plan
        earlier["plan"][place] = numbers.plan
        earlier["snapshot"][place] = mapped[earlier["snapshot"][place]]
        numbers.plan += 1
    _append(db, "snapshots", former)
    _append(db, "plans", {name: [values[at] for at in kept] for name, values in earlier.items()})
    numbers.snapshots.append(mapped | {newest.snapshot: -1})
    numbers.plans.append(planned | {plan.plan: -1})


def _pairs(earlier: Columns) -> Iterator[tuple[int, int]]:
    return zip(earlier["plan"], earlier["snapshot"], strict=True)


def _take_rows(db: Database, part: Database, numbers: _Numbers, offset: int) -> None:
    """Take the rows of a shard, and their requests after those of the shards before."""
    of_snapshot, of_plan = {"snapshot": numbers.snapshot}, {"plan": numbers.plan}
    _copy(db, part, "rows", "take_rows", of_snapshot)
    _copy(db, part, "rejects", "take_rejects", of_snapshot)
    _copy(db, part, "planned_rows", "take_planned_rows", of_plan)
    _copy(db, part, "requests", "take_requests", of_plan | {"offset": offset})


def _take_whole(db: Database, part: Database, sources: Sequence[Source], numbers: _Numbers) -> None:
    """Take what is known of the whole: the reading, its plan, the order of fields, profiles."""
    share = sources[0].share
    reading = part.mappings("FROM snapshots WHERE snapshot = ?", [share.snapshot])[0]
    rows, rejects = (int(db.scalar(f"SELECT count(*) FROM {name}")) for name in ("rows", "rejects"))
    reading |= {"snapshot": numbers.snapshot, "row_count": rows, "reject_count": rejects}
    reading["notes"] = orjson.dumps(orjson.loads(reading["notes"])[:-1]).decode()
    is_whole = len(sources) == share.shards
    if not is_whole:
        reading["digest"] += _PART
        reading["rows_read"] += share.rejects - rejects
    _append(db, "snapshots", {name: [value] for name, value in reading.items()})
    plan = part.mappings("FROM plans ORDER BY plan DESC LIMIT 1")[0]
    same = is_whole and len({each.plan_digest for each in sources}) == 1
    digest = plan["digest"] if same else _REPLANNED
    plan |= {"plan": numbers.plan, "snapshot": numbers.snapshot, "digest": digest}
    _append(db, "plans", {name: [value] for name, value in plan.items()})
    for table in _OF_INPUT:
        _append(db, table, part.columns(f"FROM {table} ORDER BY rowid"))


def _take_work(db: Database, part: Database, shard: int, at: int, numbers: _Numbers) -> None:
    """Take the runs of a shard and their attempts. A request that is another shard's now keeps its
    tries, and their tokens, under a name of its own."""
    renumbered, of_plan = numbers.runs[at], numbers.plans[at]
    found = part.columns("FROM runs ORDER BY run")
    found["run"] = [renumbered[run] for run in found["run"]]
    found["first_run"] = [run and renumbered[run] for run in found["first_run"]]
    moved = [of_plan.get(plan, -1) for plan in found["plan"]]
    found["plan"] = [numbers.plan if plan < 0 else plan for plan in moved]
    _append(db, "runs", found)
    for table in _OF_RUNS:
        records = part.columns(f"FROM {table} ORDER BY rowid")
        records["run"] = [renumbered[run] for run in records["run"]]
        _append(db, table, records)
    db.execute(_query("stage_strays"))
    db.insert(_query("stage_stray"), part.arrow(_query("strays")))
    runs = [renumbered[run] for run in sorted(renumbered)]
    _copy(db, part, "attempts", "take_attempts", {"shard": f"/{shard}", "runs": runs})
    _copy(db, part, "reopenings", "take_reopenings", {"shard": f"/{shard}"})
    _copy(db, part, "known_failures", "take_known_failures", {"runs": runs})


def _take_texts(db: Database, sources: Sequence[Source], numbers: _Numbers) -> None:
    """Take the files of long texts: that of each shard has those of all rows."""
    first = sources[0]
    with open_store(first.store, read_only=True) as part:
        plan = plans.current(part)
        assert plan is not None, "a share is planned"
        wanted = (
            (snapshots.TEXTS, plan.snapshot, numbers.snapshot),
            (plans.TEXTS, plan.plan, numbers.plan),
        )
    for name, number, new in wanted:
        kept, copied = (
            long_texts.file_of(store, name, at)
            for store, at in ((first.store, number), (db.path, new))
        )
        if kept.exists():
            # It is synced when it gets its place.
            with drafts.create(copied) as copy, kept.open("rb") as text:
                shutil.copyfileobj(text, copy)


def _copy(
    db: Database, part: Database, table: str, statement: str, parameters: Mapping[str, Any]
) -> None:
    """Copy a table that may be long, some records at a time."""
    last = part.scalar(f"SELECT max(rowid) FROM {table}")
    for first in range(0, -1 if last is None else last + 1, _WINDOW):
        window = f"FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        batch = part.arrow(window, [first, first + _WINDOW - 1])
        if batch.num_rows:
            db.insert(_query(statement), batch, parameters)


def _append(db: Database, table: str, records: Columns) -> None:
    if next(iter(records.values()), []):
        db.append({table: records})


def is_part(db: Database) -> bool:
    """True if shards were missing when the store was made, and the input was not read since."""
    reading = snapshots.newest(db)
    return reading is not None and reading.source.digest.endswith(_PART)


def publish(draft: Path, store: Path) -> None:
    """Give a merged store, which is closed, its place, where that of a former merging may be."""
    for stray in (*store.parent.glob("texts.*"), *opening.logs(store)):
        files.remove(stray)
    # The store writes its journal when it is opened; an older one is of another history.
    files.remove(store.with_name("journal"))
    for text in draft.parent.glob("texts.*"):
        files.publish(text, store.with_name(text.name))
    files.publish(draft, store)


def _query(name: str) -> str:
    return statements.load("merging.sql")[name]
