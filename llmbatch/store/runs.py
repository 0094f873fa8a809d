"""The writing of runs: beginnings and ends, engines, checkpoints, attempts, reopened requests."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.clock import Moment, utc
from llmbatch.core.outcomes import Verdict
from llmbatch.core.stored import json_table
from llmbatch.core.version import VERSION
from llmbatch.store import moments
from llmbatch.store.database import Database
from llmbatch.store.frames import Columns
from llmbatch.store.statements import query


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request and its verdict, as it is stored. `told`: of the failed answer before
    it."""

    key: str
    attempt: int
    verdict: Verdict
    kind: str | None
    message: str | None
    finish_reason: str | None
    answer: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning: str | None = None
    reasoning_tokens: int | None = None
    logprobs: str | None = None
    told: bool = False


# A run of a number that none will have.
_LATER = 2**31 - 1
_FIELDS = [field.name for field in fields(Attempt)]


def begin(
    db: Database,
    plan: int,
    started: Moment,
    spec: dict[str, object],
    first_run: int | None = None,
    made_by: Mapping[str, object] | None = None,
) -> int:
    """Record that this process works since `started`; returns the number of the run. `first_run`:
    the first run of the process; None: this one. `made_by`: what makes its answers beside its
    settings (None: not known)."""
    run = int(db.scalar("SELECT coalesce(max(run), 0) + 1 FROM runs"))
    made = None if made_by is None else orjson.dumps(made_by).decode()
    began = _beginning(db, run, plan, started, spec, first_run)
    _record(db, "runs", **began, made_by=made)
    return run


def _beginning(
    db: Database,
    run: int,
    plan: int,
    started: Moment,
    spec: dict[str, object],
    first_run: int | None = None,
) -> dict[str, object]:
    return {
        "run": run,
        "plan": plan,
        **moments.columns("started", started),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "version": VERSION,
        "spec": orjson.dumps(spec).decode(),
        # The first run of a process has no attempts yet: all answers came before it.
        "reused": db.recall_scalar(query("answered_before"), {"run": first_run or _LATER}),
        "first_run": first_run,
    }


def record_whole(
    db: Database,
    plan: int,
    started: Moment,
    spec: dict[str, object],
    attempts: list[Attempt],
    reopened: Sequence[tuple[str, int]],
    telemetry: dict[str, object],
    reason: str,
    timings: dict[str, float],
) -> None:
    """Record a run that has no engine, from its beginning to its end, in one transaction.
    `reopened`: the attempts (key, number) that settled its requests before."""
    run = int(db.scalar("SELECT coalesce(max(run), 0) + 1 FROM runs"))
    ended = clock.moment()
    tables = {
        "runs": _single(_beginning(db, run, plan, started, spec)),
        **_checkpoint(run, 1, attempts, telemetry),
        "run_ends": _single(_ending(run, ended, reason, 0, timings)),
    }
    if reopened:
        keys, numbers = zip(*reopened, strict=True)
        tables["reopenings"] = {
            "key": list(keys),
            "attempt": list(numbers),
            "reopened_at": [utc(ended.at)] * len(keys),
            "max_tokens": [None] * len(keys),
        }
    db.record(tables)


def engine_started(
    db: Database, run: int, began: Moment, ready: Moment, description: dict[str, object]
) -> None:
    """Record a start of an engine and its `description` of itself."""
    text = orjson.dumps(description, default=str).decode()
    # If the wall clock was set back meanwhile, the table would refuse the record.
    times = moments.columns("began", began) | moments.columns("ready", ready)
    times["ready_at"] = utc(max(began.at, ready.at))
    _record(db, "engine_starts", run=run, **times, description=text)


def engine_died(db: Database, run: int, died: Moment, reason: str, in_flight: int) -> None:
    """Record that the engine ended while `in_flight` requests were in it."""
    when = moments.columns("died", died)
    _record(db, "engine_deaths", run=run, **when, reason=reason, in_flight=in_flight)


def forecast(db: Database, run: int, value: object) -> None:
    """Record the forecast of the prefix cache for a run."""
    text = orjson.dumps(value).decode()
    _record(db, "forecasts", run=run, made_at=utc(clock.now()), forecast=text)


def checkpoint(
    db: Database, run: int, number: int, attempts: list[Attempt], telemetry: dict[str, object]
) -> None:
    """Commit settled outcomes. Once this returns they survive the death of the process and a power
    cut."""
    db.record(_checkpoint(run, number, attempts, telemetry))


def _checkpoint(
    run: int, number: int, attempts: list[Attempt], telemetry: dict[str, object]
) -> dict[str, Columns]:
    columns = {name: [getattr(item, name) for item in attempts] for name in _FIELDS}
    place = {"run": [run] * len(attempts), "checkpoint": [number] * len(attempts)}
    summary: Columns = {
        "run": [run],
        "checkpoint": [number],
        **{name: [value] for name, value in moments.columns("committed", clock.moment()).items()},
        "attempts": [len(attempts)],
        "telemetry": [orjson.dumps(telemetry).decode()],
    }
    return {"attempts": columns | place, "checkpoints": summary}


def end(db: Database, run: int, reason: str, exit_code: int, timings: dict[str, float]) -> Moment:
    """Record the end of a run; `timings`: its seconds by phase. Returns the moment of the end."""
    ended = clock.moment()
    _record(db, "run_ends", **_ending(run, ended, reason, exit_code, timings))
    return ended


def _ending(
    run: int, ended: Moment, reason: str, exit_code: int, timings: dict[str, float]
) -> dict[str, object]:
    return {
        "run": run,
        **moments.columns("ended", ended),
        "reason": reason,
        "exit_code": int(exit_code),
        "timings": orjson.dumps(timings).decode(),
    }


@dataclass(frozen=True, slots=True)
class EngineRun:
    """A run that started an engine: its settings (`spec`) and the longest sequence that its engines
    took (`tokens`; None if they did not report it)."""

    run: int
    spec: Mapping[str, Any]
    tokens: int | None


def engine_runs(db: Database, statement: str = "engine_runs") -> list[EngineRun]:
    """All runs that started an engine, the oldest first."""
    return [
        EngineRun(run, json_table(spec), tokens)
        for run, spec, tokens in db.execute(query(statement))
    ]


def dead(db: Database, kinds: Sequence[str], made_in: Sequence[int] = ()) -> Columns:
    """The attempts that made dead letters of requests of the current plan, with the number of rows
    (`rows`) and the output tokens of each: those that failed in one of `kinds`, in one of the
    runs `made_in`. An empty sequence stands for all kinds, or all runs."""
    return db.columns(query("dead_attempts"), {"kinds": list(kinds), "runs": list(made_in)})


def cut(db: Database, *, keeps_cut: bool) -> Columns:
    """The attempts that settle a request of the current plan by an answer that was cut, in the
    other way than now: as dead letters if they are kept as answers (`keeps_cut`), or as answers."""
    return db.columns(query("cut_attempts"), {"keeps_cut": keeps_cut})


def reopen(db: Database, attempts: Columns, max_tokens: int | None = None) -> float:
    """Let the requests of these attempts be tried again, with answers of up to `max_tokens` (None:
    as the job has it). Returns the number of their rows, of a row with several samples the share
    that these are."""
    rows = attempts["rows"]
    if rows:
        found = {name: attempts[name] for name in ("key", "attempt")}
        found["reopened_at"] = [utc(clock.now())] * len(rows)
        db.record({"reopenings": found | {"max_tokens": [max_tokens] * len(rows)}})
    return sum(rows)


def _record(db: Database, table: str, **values: object) -> None:
    db.record({table: _single(values)})


def _single(values: Mapping[str, object]) -> Columns:
    """One record as columns."""
    return {name: [value] for name, value in values.items()}
