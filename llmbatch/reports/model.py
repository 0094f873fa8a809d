"""The report as a value: every figure comes from the store."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from llmbatch.core.outcomes import FAILURE_KINDS
from llmbatch.reports.usage import EngineDeath, RunUsage, Usage, total
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.results import Counts

REPORT_VERSION = 2

# What the engine has counted; one of an older llmbatch had not counted all of it.
_COUNTERS = ("preemptions", "recomputed_tokens", "steps", "starved_steps", "sequences")


@dataclass(frozen=True, slots=True)
class FailureLine:
    """Failed rows of one kind, with one message and what to do about it."""

    kind: str
    rows: int
    example: str
    advice: str


@dataclass(frozen=True, slots=True)
class AttemptsLine:
    """Rows that are settled after so many attempts; 0: no request could be made of the row."""

    attempts: int
    answered: int
    failed: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that share the request of another, and what computing each by itself would have taken:
    tokens of the answers that they share, and those at the job's average price for a token (None
    without a price)."""

    rows: int
    prompt_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """All that is told of a job. `last_run` and `all_runs` have the same figures."""

    version: int
    input: str
    output: str
    model: str
    rows_in: int
    counts: Counts
    reused: int
    requests: int
    duplicates: Duplicates
    currency: str
    last_run: Usage
    all_runs: Usage
    failures: list[FailureLine]
    rows_by_attempts: list[AttemptsLine]
    runs: list[RunUsage]
    engine: dict[str, Any] | None


def build(db: Database) -> Report | None:
    """The report of a job, or None if no run has begun yet."""
    summaries = results.report(db, "run_summaries")
    if not summaries:
        return None
    spec = orjson.loads(summaries[-1]["spec"])
    counts = results.counts(db)
    plan = results.report(db, "plan_counts")[0]
    starts = results.report(db, "engine_starts")
    runs = _runs(db, summaries, starts)
    all_runs = total(runs)
    tries = results.report(db, "rows_by_attempts")
    return Report(
        version=REPORT_VERSION,
        input=spec["input"],
        output=spec["output"],
        model=spec["model"],
        rows_in=counts.rows_in,
        counts=counts,
        reused=summaries[-1]["reused"],
        requests=plan["requests"],
        duplicates=_duplicates(db, plan["duplicates"], all_runs),
        currency=spec["cost"]["currency"],
        last_run=total(runs[-1:]),
        all_runs=all_runs,
        failures=[_failure(line) for line in results.report(db, "failure_counts")],
        rows_by_attempts=[AttemptsLine(**line) for line in tries],
        runs=runs,
        engine=orjson.loads(starts[-1]["description"]) if starts else None,
    )


def _duplicates(db: Database, rows: int, usage: Usage) -> Duplicates:
    tokens = results.report(db, "duplicate_tokens")[0]
    prompt, output = int(tokens["prompt_tokens"]), int(tokens["output_tokens"])
    price = usage.cost_per_million_tokens
    cost = None if price is None else price * (prompt + output) / 1_000_000
    return Duplicates(rows, prompt, output, cost)


def _failure(line: dict[str, Any]) -> FailureLine:
    kind = FAILURE_KINDS.get(line["kind"])
    advice = kind.advice if kind else "see the messages in the error file"
    return FailureLine(line["kind"], line["rows"], line["example"] or "", advice)


@dataclass(slots=True)
class _Noted:
    """What the store holds of one run beside its summary."""

    tokens: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    starts: list[dict[str, Any]] = field(default_factory=list)
    deaths: list[EngineDeath] = field(default_factory=list)
    forecast: dict[str, Any] | None = None


def _runs(
    db: Database, summaries: list[dict[str, Any]], starts: list[dict[str, Any]]
) -> list[RunUsage]:
    noted: dict[int, _Noted] = defaultdict(_Noted)
    for line in results.report(db, "run_tokens"):
        noted[line["run"]].tokens = line
    for line in results.report(db, "run_rows"):
        noted[line["run"]].rows = line["rows"]
    for line in starts:
        noted[line["run"]].starts.append(line)
    for line in results.report(db, "engine_deaths"):
        death = EngineDeath(line["died_at"], line["reason"], line["in_flight"])
        noted[line["run"]].deaths.append(death)
    for line in results.report(db, "forecasts"):
        noted[line["run"]].forecast = orjson.loads(line["forecast"])
    return [_run(line, noted[line["run"]]) for line in summaries]


def _run(line: dict[str, Any], noted: _Noted) -> RunUsage:
    spec = orjson.loads(line["spec"])
    telemetry = orjson.loads(line["telemetry"] or "{}")
    ended = line["ended_at"] or _last_sign(line, noted)
    timings = _timings(line, noted, ended)
    tokens = noted.tokens
    return RunUsage(
        run=line["run"],
        started_at=line["started_at"],
        ended_at=ended,
        reason=line["reason"] or "killed",
        exit_code=line["exit_code"],
        pid=line["pid"],
        host=line["host"],
        llmbatch=line["version"],
        checkpoints=line["checkpoints"],
        rows=noted.rows,
        requests=tokens.get("attempts", 0),
        retries=tokens.get("retries", 0),
        failed_attempts=tokens.get("failed", 0),
        prompt_tokens=int(tokens.get("prompt_tokens", 0)),
        cached_tokens=int(tokens.get("cached_tokens", 0)),
        output_tokens=int(tokens.get("output_tokens", 0)),
        wasted_prompt_tokens=int(tokens.get("wasted_prompt_tokens", 0)),
        wasted_output_tokens=int(tokens.get("wasted_output_tokens", 0)),
        seconds=(ended - line["started_at"]).total_seconds(),
        prepare_seconds=timings["prepare"],
        engine_start_seconds=timings["engine_start"],
        generate_seconds=timings["generate"],
        engine_stop_seconds=timings["engine_stop"],
        idle_seconds=telemetry.get("idle_seconds", 0.0),
        checkpoint_seconds=timings["checkpoint"],
        export_seconds=timings["export"],
        **{name: telemetry.get(name, 0) for name in _COUNTERS},
        engine_restarts=max(0, len(noted.starts) - 1),
        engine_deaths=len(noted.deaths),
        in_flight_at_deaths=sum(death.in_flight for death in noted.deaths),
        deaths=noted.deaths,
        forecast=noted.forecast,
        measured_hits=tokens.get("measured_hits"),
        price_per_hour=spec["cost"]["price_per_hour"],
        devices=spec["cost"]["devices"],
    )


def _last_sign(line: dict[str, Any], noted: _Noted) -> datetime:
    """When a killed run, which has no end of its own, was last known to live."""
    signs: list[datetime] = [line["started_at"], *(start["ready_at"] for start in noted.starts)]
    signs += [death.died_at for death in noted.deaths]
    return max([*signs, line["last_commit"]] if line["last_commit"] else signs)


def _timings(line: dict[str, Any], noted: _Noted, ended: datetime) -> dict[str, float]:
    """Seconds by phase. A phase that an older llmbatch did not measure counts as zero."""
    names = ("prepare", "engine_start", "generate", "engine_stop", "checkpoint", "export")
    timings = dict.fromkeys(names, 0.0)
    if line["timings"]:
        timings |= orjson.loads(line["timings"])
        return timings
    starts = noted.starts
    if starts:
        timings["prepare"] = (starts[0]["began_at"] - line["started_at"]).total_seconds()
    for number, start in enumerate(starts):
        end = starts[number + 1]["began_at"] if starts[number + 1 :] else ended
        died = (death.died_at for death in noted.deaths if death.died_at >= start["ready_at"])
        lived = min(next(died, end), end) - start["ready_at"]
        timings["engine_start"] += (start["ready_at"] - start["began_at"]).total_seconds()
        timings["generate"] += max(0.0, lived.total_seconds())
    return timings
