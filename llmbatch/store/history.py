"""What a plan leaves to do, and what the runs before it tell about the next one."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core.outcomes import CONTEXT, mended_by
from llmbatch.core.stored import json_table
from llmbatch.store import moments, own_store
from llmbatch.store.database import Database
from llmbatch.store.runs import RunContext, contexts
from llmbatch.store.statements import query

_ANSWERS = 256
_REQUESTS = 5_000
_LEFT = ("work_positions", "work_bytes", "work_rows")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the job's own store. `reason`, `seconds` (of all of it) and `timings` (seconds by
    phase) are None or empty for one that was killed; `telemetry` is the last that it committed.
    `attempts`: how many came back.
    """

    run: int
    spec: Mapping[str, Any]
    reason: str | None
    seconds: float | None
    timings: Mapping[str, float]
    telemetry: Mapping[str, Any]
    starts: int
    attempts: int


@dataclass(frozen=True, slots=True)
class RequestTokens:
    """What a request took from its first try to the one that settled it, whatever came of it:
    tokens of its `prompt`, `output` tokens of all its `tries` together."""

    prompt: int
    output: int
    tries: int = 1


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What the job's own store tells; nothing where there is none.

    `engine` is what the last engine of the job said of itself, `answers` are the lengths (tokens)
    of its newest answers, `spent` what the newest requests took in runs that answered as the next
    one will.
    """

    engine: Mapping[str, Any]
    answers: Sequence[int]
    spent: Sequence[RequestTokens]
    runs: Sequence[PastRun]
    settled_requests: int = 0
    settled_rows: int = 0


NO_HISTORY = JobHistory({}, (), (), ())


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The requests of the current plan that are to be computed.

    `positions` in planned order, `sizes` the bytes of their messages; `rows` the numbers of the
    rows that each one is first met in, in input order.
    """

    positions: Sequence[int]
    sizes: Sequence[int]
    rows: Sequence[int]
    history: JobHistory


def _none(contexts: Sequence[RunContext]) -> Sequence[int]:
    return ()


def pending_work(
    db: Database,
    store: Path | None,
    alike: Callable[[Mapping[str, Any]], bool],
    outgrown: Callable[[Sequence[RunContext]], Sequence[int]] = _none,
) -> PendingWork:
    """What is left of the plan in `db` when the job's own store at `store` is reused.

    None: as if there were no such store. `alike`: whether a run of this spec answered as the next
    one will. `outgrown`: which of these runs had less room than the next one, so that what failed
    in them for want of it is left, too. Raises LockedError while a run holds the store.
    """
    db.execute(query("stage_pending_work"))
    past = NO_HISTORY
    if store is not None:
        with own_store.attached(db, store):
            had_less = outgrown(contexts(db, "run_contexts_in_own_store"))
            kinds = mended_by(CONTEXT)
            db.execute(query("stage_kept_in_own_store"), {"kinds": kinds, "runs": list(had_less)})
            requests, rows = db.execute(query("settled_in_own_store"))[0]
            db.execute(query("drop_settled_in_own_store"))
            past = _past(db, alike, int(requests), int(rows))
    positions, sizes, rows = (_array(db, name) for name in _LEFT)
    return PendingWork(positions, sizes, rows, past)


def _past(
    db: Database, alike: Callable[[Mapping[str, Any]], bool], requests: int, rows: int
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
    )


def _past_run(found: Mapping[str, Any]) -> PastRun:
    ended = found["ended_at"] is not None
    began = moments.read(found, "started")
    kept: dict[str, Any] = {name: found[name] for name in ("run", "reason", "starts", "attempts")}
    kept |= {name: json_table(found[name]) for name in ("spec", "timings", "telemetry")}
    return PastRun(**kept, seconds=moments.read(found, "ended").since(began) if ended else None)


def answer_lengths(db: Database) -> list[int]:
    """The lengths (tokens) of the job's newest answers."""
    return _numbers(db, "answer_lengths", {"most": _ANSWERS})


def rows_at(db: Database, rows: Sequence[int]) -> list[str]:
    """The data (JSON) of these rows, in input order."""
    return [data for (data,) in db.execute(query("rows_at"), {"rows": list(rows)})]


def first_row(db: Database, position: int) -> tuple[str, int]:
    """Id and line of the first row that the request at this position answers."""
    name, line = db.execute(query("first_row_of"), [position])[0]
    return str(name), int(line)


def _numbers(db: Database, name: str, parameters: dict[str, Any] | None = None) -> list[int]:
    return [number for (number,) in db.execute(query(name), parameters or ())]


def _array(db: Database, name: str) -> Sequence[int]:
    """As `_numbers`, in a ninth of the memory: there may be ten million."""
    numbers = array("q")
    for chunk in db.arrow(query(name)).column(0).chunks:
        numbers.frombytes(memoryview(chunk.to_numpy()).tobytes())
    return numbers
