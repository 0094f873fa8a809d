"""The work that a plan leaves to do, and the history of the job, read beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.outcomes import CONTEXT, kinds_helped_by
from llmbatch.core.stored import json_table
from llmbatch.store import moments, own_store, snapshots
from llmbatch.store.database import Database
from llmbatch.store.runs import EngineRun, engine_runs
from llmbatch.store.statements import query

_ANSWERS = 256
_REQUESTS = 5_000
_AS_THEY_ARE = ("run", "reason", "starts", "attempts", "exit_code")
_COLUMNS = ("work_positions", "work_bytes", "work_rows")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the job's own store. `reason`, `seconds` (its duration) and `timings` (seconds by
    phase) are None or empty for one that was killed, as its `exit_code` is; `telemetry` is the last
    that it committed. `starts` and `attempts` are numbers: starts of engines, attempts that have
    ended. `made_by`: see `makings.RunMaking`.
    """

    run: int
    spec: Mapping[str, Any]
    reason: str | None
    seconds: float | None
    timings: Mapping[str, float]
    telemetry: Mapping[str, Any]
    starts: int
    attempts: int
    exit_code: int | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestTokens:
    """The tokens of a request from its first try to the one that settled it: those of its
    `prompt` once, `output` tokens of all its `tries` together."""

    prompt: int
    output: int
    tries: int = 1


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """The requests to do against those of the last plan in the job's own store: `unanswered` were
    in it; `otherwise`: their messages were, under other keys. `columns`: those of its input."""

    unanswered: int = 0
    otherwise: int = 0
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The records of the job's own store; empty where there is none.

    `engine` is the last engine's description of itself, `answers` are the lengths (tokens) of the
    newest answers, `spent` the tokens of the newest requests in runs whose answers count for the
    next one.
    """

    engine: Mapping[str, Any]
    answers: Sequence[int]
    spent: Sequence[RequestTokens]
    runs: Sequence[PastRun]
    settled_requests: int = 0
    settled_rows: float = 0
    asked: AskedBefore = AskedBefore()


NO_HISTORY = JobHistory({}, (), (), ())


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The requests of the current plan that are to be computed.

    `positions` are in planned order, `sizes` the bytes of their messages; `rows` the numbers of the
    first row of each, in input order.
    """

    positions: Sequence[int]
    sizes: Sequence[int]
    rows: Sequence[int]
    history: JobHistory


def _none(engine_runs: Sequence[EngineRun]) -> Sequence[int]:
    return ()


def pending_work(
    db: Database,
    store: Path | None,
    alike: Callable[[Mapping[str, Any]], bool],
    outgrown: Callable[[Sequence[EngineRun]], Sequence[int]] = _none,
    *,
    keeps_cut: bool = False,
) -> PendingWork:
    """The requests of the plan in `db` that the job's own store at `store` has not settled; all
    of them if `store` is None.

    `alike`: true for the spec of a run whose answers count for the next one. `outgrown`: those
    of the runs whose engines took shorter sequences than the next one, so that requests that were
    too long for them are pending, too. `keeps_cut`: answers that were cut are answers. Raises
    LockedError while a run holds the store.
    """
    db.execute(query("stage_pending_work"))
    past = NO_HISTORY
    if store is not None:
        with own_store.attached(db, store):
            smaller = outgrown(engine_runs(db, "engine_runs_in_own_store"))
            kinds = kinds_helped_by(CONTEXT)
            which = {"kinds": kinds, "runs": list(smaller), "keeps_cut": keeps_cut}
            db.execute(query("stage_kept_in_own_store"), which)
            requests, rows = db.execute(query("settled_in_own_store"))[0]
            db.execute(query("drop_settled_in_own_store"))
            past = _history(db, alike, int(requests), rows, _asked_before(db))
    positions, sizes, rows = (db.integers(query(name)) for name in _COLUMNS)
    return PendingWork(positions, sizes, rows, past)


def _history(
    db: Database,
    alike: Callable[[Mapping[str, Any]], bool],
    requests: int,
    rows: float,
    asked: AskedBefore,
) -> JobHistory:
    runs = [_past_run(found) for found in db.mappings(query("runs_in_own_store"))]
    wanted = {"runs": [run.run for run in runs if alike(run.spec)], "most": _REQUESTS}
    spent = [RequestTokens(*found) for found in db.execute(query("spent_in_own_store"), wanted)]
    return JobHistory(
        json_table(db.scalar(query("last_engine_in_own_store"))),
        _numbers(db, "answer_lengths_in_own_store", {"most": _ANSWERS}),
        spent,
        runs,
        requests,
        rows,
        asked,
    )


def _asked_before(db: Database) -> AskedBefore:
    unanswered, otherwise = db.execute(query("asked_in_own_store"))[0]
    names = db.execute(query("columns_in_own_store"))
    columns = orjson.loads(names[0][0]) if names else []
    return AskedBefore(int(unanswered), int(otherwise), columns)


def own_history(db: Database, alike: Callable[[Mapping[str, Any]], bool]) -> JobHistory:
    """The records of the store that is open, as `pending_work` has those of another one."""
    db.execute("ATTACH IF NOT EXISTS ':memory:' AS own_store")
    for table in ("runs", "run_ends", "attempts", "checkpoints", "engine_starts"):
        db.execute(
            f"CREATE OR REPLACE VIEW own_store.{table} AS SELECT rowid AS rowid, * FROM job.{table}"
        )
    return _history(db, alike, 0, 0, NO_HISTORY.asked)


def _past_run(found: Mapping[str, Any]) -> PastRun:
    ended = found["ended_at"] is not None
    began = moments.read(found, "started")
    kept: dict[str, Any] = {name: found[name] for name in _AS_THEY_ARE}
    kept |= {name: json_table(found[name]) for name in ("spec", "timings", "telemetry")}
    kept["made_by"] = json_table(found.get("made_by"))
    return PastRun(**kept, seconds=moments.read(found, "ended").since(began) if ended else None)


def answer_lengths(db: Database) -> list[int]:
    """The lengths (tokens) of the job's newest answers."""
    return _numbers(db, "answer_lengths", {"most": _ANSWERS})


def rows_at(db: Database, rows: Sequence[int]) -> list[str]:
    """The data (JSON) of these rows, in their order; one may stand in it several times."""
    found = db.execute(query("rows_at"), {"rows": sorted(set(rows))})
    whole = {row: snapshots.whole(db, data, *place) for row, data, *place in found}
    return [whole[row] for row in rows if row in whole]


def first_row(db: Database, position: int) -> tuple[str, int]:
    """Id and line of the first row that the request at this position answers."""
    name, line = db.execute(query("first_row_of"), [position])[0]
    return str(name), int(line)


def _numbers(db: Database, name: str, parameters: dict[str, Any] | None = None) -> list[int]:
    return [number for (number,) in db.execute(query(name), parameters or ())]
