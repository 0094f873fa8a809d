"""Runs: who worked when, in which checkpoints, with which outcomes."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime

import orjson
import pyarrow as pa

from llmbatch import __version__
from llmbatch.core import clock
from llmbatch.store.database import Database, utc
from llmbatch.store.statements import query

_ATTEMPTS = pa.schema(
    [
        ("key", pa.string()),
        ("attempt", pa.int32()),
        ("verdict", pa.string()),
        ("kind", pa.string()),
        ("message", pa.string()),
        ("finish_reason", pa.string()),
        ("answer", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One judged try of a request, as it is stored."""

    key: str
    attempt: int
    verdict: str
    kind: str | None
    message: str | None
    finish_reason: str | None
    answer: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int


def begin(db: Database, plan: int, started: datetime, spec: dict[str, object]) -> int:
    """Record that this process works since `started`; returns the number of the run."""
    reused = db.scalar(query("settled_before"))
    return int(
        db.scalar(
            query("insert_run"),
            [
                plan,
                utc(started),
                os.getpid(),
                socket.gethostname(),
                __version__,
                orjson.dumps(spec).decode(),
                reused,
            ],
        )
    )


def engine_started(
    db: Database, run: int, began: datetime, ready: datetime, description: dict[str, object]
) -> None:
    """Record a start of the engine and what it says of itself."""
    text = orjson.dumps(description, default=str).decode()
    db.execute("INSERT INTO engine_starts VALUES (?, ?, ?, ?)", [run, utc(began), utc(ready), text])


def checkpoint(
    db: Database, run: int, number: int, attempts: list[Attempt], telemetry: dict[str, object]
) -> None:
    """Commit settled outcomes: from here on they survive any death of the process."""
    with db.transaction():
        db.insert(query("insert_attempts"), _table(attempts), {"run": run, "checkpoint": number})
        db.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)",
            [run, number, utc(clock.now()), len(attempts), orjson.dumps(telemetry).decode()],
        )


def end(db: Database, run: int, reason: str, exit_code: int, timings: dict[str, float]) -> None:
    """Record why and when the run ended, and where its time went (seconds by phase)."""
    db.execute(
        "INSERT INTO run_ends VALUES (?, ?, ?, ?, ?)",
        [run, utc(clock.now()), reason, exit_code, orjson.dumps(timings).decode()],
    )


def _table(attempts: list[Attempt]) -> pa.Table:
    columns = [[getattr(item, name) for item in attempts] for name in _ATTEMPTS.names]
    return pa.table(columns, _ATTEMPTS)
