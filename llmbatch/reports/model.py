"""The report as a value: every figure comes from the store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from llmbatch.core.outcomes import FAILURE_KINDS
from llmbatch.reports.usage import RunUsage, Usage, total
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.results import Counts

REPORT_VERSION = 1


@dataclass(frozen=True, slots=True)
class FailureLine:
    """Failed rows of one kind, with one message and what to do about it."""

    kind: str
    rows: int
    example: str
    advice: str


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
    duplicates_saved: int
    currency: str
    last_run: Usage
    all_runs: Usage
    failures: list[FailureLine]
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
    return Report(
        version=REPORT_VERSION,
        input=spec["input"],
        output=spec["output"],
        model=spec["model"],
        rows_in=counts.rows_in,
        counts=counts,
        reused=summaries[-1]["reused"],
        requests=plan["requests"],
        duplicates_saved=plan["duplicates"],
        currency=spec["cost"]["currency"],
        last_run=total(runs[-1:]),
        all_runs=total(runs),
        failures=[_failure(line) for line in results.report(db, "failure_counts")],
        runs=runs,
        engine=orjson.loads(starts[-1]["description"]) if starts else None,
    )


def _failure(line: dict[str, Any]) -> FailureLine:
    kind = FAILURE_KINDS.get(line["kind"])
    advice = kind.advice if kind else "see the messages in the error file"
    return FailureLine(line["kind"], line["rows"], line["example"] or "", advice)


def _runs(
    db: Database, summaries: list[dict[str, Any]], starts: list[dict[str, Any]]
) -> list[RunUsage]:
    tokens = {line["run"]: line for line in results.report(db, "run_tokens")}
    rows = {line["run"]: line["rows"] for line in results.report(db, "run_rows")}
    ready = {line["run"]: line for line in starts}
    return [
        _run(line, tokens.get(line["run"], {}), rows.get(line["run"], 0), ready.get(line["run"]))
        for line in summaries
    ]


def _run(
    line: dict[str, Any], tokens: dict[str, Any], rows: int, start: dict[str, Any] | None
) -> RunUsage:
    spec = orjson.loads(line["spec"])
    telemetry = orjson.loads(line["telemetry"] or "{}")
    # A killed run has no end of its own: the last sign of life counts.
    ended: datetime = (
        line["ended_at"]
        or line["last_commit"]
        or (start["ready_at"] if start else line["started_at"])
    )
    timings = _timings(line, start, ended)
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
        rows=rows,
        requests=tokens.get("attempts", 0),
        prompt_tokens=int(tokens.get("prompt_tokens", 0)),
        cached_tokens=int(tokens.get("cached_tokens", 0)),
        output_tokens=int(tokens.get("output_tokens", 0)),
        seconds=(ended - line["started_at"]).total_seconds(),
        prepare_seconds=timings["prepare"],
        engine_start_seconds=timings["engine_start"],
        generate_seconds=timings["generate"],
        engine_stop_seconds=timings["engine_stop"],
        idle_seconds=telemetry.get("idle_seconds", 0.0),
        checkpoint_seconds=timings["checkpoint"],
        export_seconds=timings["export"],
        preemptions=telemetry.get("preemptions", 0),
        price_per_hour=spec["cost"]["price_per_hour"],
        devices=spec["cost"]["devices"],
    )


def _timings(
    line: dict[str, Any], start: dict[str, Any] | None, ended: datetime
) -> dict[str, float]:
    """Seconds by phase. A phase that an older llmbatch did not measure counts as zero."""
    names = ("prepare", "engine_start", "generate", "engine_stop", "checkpoint", "export")
    timings = dict.fromkeys(names, 0.0)
    if line["timings"]:
        timings |= orjson.loads(line["timings"])
    elif start:
        timings["prepare"] = (start["began_at"] - line["started_at"]).total_seconds()
        timings["engine_start"] = (start["ready_at"] - start["began_at"]).total_seconds()
        timings["generate"] = max(0.0, (ended - start["ready_at"]).total_seconds())
    return timings
