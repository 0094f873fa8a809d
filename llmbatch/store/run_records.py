"""The reading of runs, for accounting and reports; `store.runs` writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmbatch.core.clock import Moment
from llmbatch.core.stored import json_table
from llmbatch.store.database import Database
from llmbatch.store.statements import query

SAMPLE_REASON = "sample of"
"""The beginning of the reason for which a run of a sample ends."""
RECHECK_REASON = "rechecked"
"""The beginning of the reason for which a run ends that applied rules to stored answers."""
KEPT_FROM = "kept_from"
"""In the description of an engine: the job that had started it, for a run that found it running."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run. `spec`: its settings, as JSON text. `reused`: rows that were answered before it.

    `ended`, `reason`, `exit_code` and `timings` (seconds by phase) are None for a run that was
    killed, or still works. `committed` is the moment of its last checkpoint (None before the first
    of its `checkpoints`), `telemetry` what the engine had counted by then.
    """

    run: int
    started: Moment
    pid: int
    host: str
    version: str
    reused: int
    spec: str
    ended: Moment | None
    reason: str | None
    exit_code: int | None
    timings: Mapping[str, Any] | None
    committed: Moment | None
    telemetry: Mapping[str, Any]
    checkpoints: int

    @property
    def is_sample(self) -> bool:
        """True if it was of a sample of the rows, and so wrote no output."""
        return is_sample(self.reason)


def is_sample(reason: str | None) -> bool:
    """True for the reason for which a run of a sample ends."""
    return (reason or "").startswith(SAMPLE_REASON)


def specs(db: Database) -> dict[int, str]:
    """By run, the oldest first, its settings as JSON text."""
    return dict(db.execute("SELECT run, spec FROM runs ORDER BY run"))


def summaries(db: Database) -> list[RunSummary]:
    """All runs, the oldest first."""
    return db.reread_values(_summary, query("run_summaries"))


def _summary(timings: str | None, telemetry: str | None, **columns: Any) -> RunSummary:
    return RunSummary(
        timings=json_table(timings) if timings else None,
        telemetry=json_table(telemetry),
        **columns,
    )


@dataclass(frozen=True, slots=True)
class RunTokens:
    """The attempts of a run and their tokens. `retries`: attempts after the first of a request;
    `failed`: those that gave no answer, whose tokens are also in the `wasted` ones; `told`: those
    that were told of a failed answer, of which `told_answered` were accepted. `measured_hits`: the
    share (0..1) of the prompt tokens of first attempts that were cached; None where there were
    none."""

    attempts: int = 0
    retries: int = 0
    failed: int = 0
    told: int = 0
    told_answered: int = 0
    measured_hits: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    wasted_prompt_tokens: int = 0
    wasted_cached_tokens: int = 0
    wasted_output_tokens: int = 0


def tokens(db: Database) -> dict[int, RunTokens]:
    """By run, of those that have attempts."""
    return dict(db.recall_values(_run_tokens, query("run_tokens")))


def _run_tokens(run: int, **columns: Any) -> tuple[int, RunTokens]:
    return run, RunTokens(**columns)


def rows(db: Database) -> dict[int, int]:
    """By run, the rows that it settled, as far as that can still be counted: a request that is not
    planned any more counts as one row."""
    return {each["run"]: each["rows"] for each in db.recall(query("run_rows"))}


def of_newest_snapshot(db: Database) -> set[int]:
    """The runs that worked on the rows that are in the store now."""
    return {run for (run,) in db.execute(query("runs_of_newest_snapshot"))}


@dataclass(frozen=True, slots=True)
class StartRecord:
    """A start of an engine: when it `began`, when the engine was `ready`, and the engine's own
    description of itself."""

    run: int
    began: Moment
    ready: Moment
    description: dict[str, Any]

    @property
    def was_running(self) -> bool:
        """True if no engine was started for the run: it found one that another job had started."""
        return KEPT_FROM in self.description

    @property
    def seconds(self) -> float:
        """The duration of the start."""
        return self.ready.since(self.began)


def starts(db: Database) -> list[StartRecord]:
    """All starts of engines, by run and in the order in which they were recorded."""
    return db.reread_values(_start, query("engine_starts"))


def _start(description: str, **columns: Any) -> StartRecord:
    return StartRecord(description=json_table(description), **columns)


@dataclass(frozen=True, slots=True)
class DeathRecord:
    """The end of an engine that was not asked to end, with `in_flight` requests in it."""

    run: int
    died: Moment
    reason: str
    in_flight: int


def deaths(db: Database) -> list[DeathRecord]:
    """All deaths of engines, by run and in the order in which they were recorded."""
    return db.values(DeathRecord, query("engine_deaths"))


@dataclass(frozen=True, slots=True)
class ForecastRecord:
    """The share of prompt tokens that the prefix cache was expected to serve in a run, and what
    that was computed from; empty if it cannot be read."""

    run: int
    forecast: dict[str, Any]


def forecasts(db: Database) -> list[ForecastRecord]:
    """All forecasts, by run and in the order in which they were made."""
    return [
        ForecastRecord(run, json_table(forecast))
        for run, forecast in db.execute(query("forecasts"))
    ]
