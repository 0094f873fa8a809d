"""Runs, starts and deaths of engines, and forecasts, as they are read again."""

import os
from datetime import UTC, datetime

from llmbatch.core import clock
from llmbatch.core.clock import Moment
from llmbatch.core.outcomes import Verdict
from llmbatch.store import run_records, runs
from llmbatch.store.database import Database
from llmbatch.store.run_records import ForecastRecord, RunTokens
from llmbatch.store.runs import Attempt

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
C = "c" * 32


def test_times_are_kept_in_utc(db: Database) -> None:
    runs.begin(db, 1, Moment(NOON, 0.0), {})
    assert run_records.summaries(db)[0].started == Moment(datetime(2026, 1, 1, 12), 0.0)


def test_a_run_has_its_end_and_its_tokens(healthy: Database) -> None:
    (run,) = run_records.summaries(healthy)
    assert (run.reason, run.exit_code, run.checkpoints) == ("stopped", 4, 2)
    assert (run.pid, run.spec, run.timings, run.telemetry) == (os.getpid(), "{}", {}, {})
    assert run.ended is not None
    assert run.ended.since(run.started) >= 0
    tokens = run_records.tokens(healthy)
    assert tokens == {
        1: RunTokens(
            attempts=2,
            failed=1,
            measured_hits=4 / 18,
            prompt_tokens=18,
            cached_tokens=4,
            output_tokens=2,
            wasted_prompt_tokens=9,
            wasted_output_tokens=1,
        )
    }
    # Two rows share the answered request.
    assert run_records.rows(healthy) == {1: 3}


def test_a_run_that_was_killed_has_no_end(healthy: Database) -> None:
    run = runs.begin(healthy, 1, clock.moment(), {})
    assert run_records.summaries(healthy)[-1].committed is None
    answer = Attempt(C, 1, Verdict.ANSWERED, None, None, "stop", "z", 1, 0, 1)
    runs.checkpoint(healthy, run, 1, [answer], {"steps": 3})
    last = run_records.summaries(healthy)[-1]
    assert (last.run, last.ended, last.reason, last.exit_code) == (2, None, None, None)
    assert last.timings is None
    assert last.telemetry == {"steps": 3}
    assert last.committed is not None
    assert last.committed.seconds is not None


def test_starts_deaths_and_forecasts_come_as_they_were_recorded(db: Database) -> None:
    run = runs.begin(db, 1, Moment(NOON, 1.0), {})
    for second in (5.0, 2.0):
        began, ready = Moment(NOON, second), Moment(NOON, second + 1.5)
        runs.engine_started(db, run, began, ready, {"second": second})
    runs.engine_died(db, run, Moment(NOON, 9.0), "gone", 3)
    runs.forecast(db, run, {"hits": 0.5})
    starts = run_records.starts(db)
    assert [(start.description["second"], start.seconds) for start in starts] == [
        (5.0, 1.5),
        (2.0, 1.5),
    ]
    (death,) = run_records.deaths(db)
    assert (death.run, death.died.seconds, death.reason, death.in_flight) == (run, 9.0, "gone", 3)
    assert run_records.forecasts(db) == [ForecastRecord(run, {"hits": 0.5})]


def test_what_is_no_table_reads_as_an_empty_one(healthy: Database) -> None:
    healthy.execute("UPDATE engine_starts SET description = '[]'")
    healthy.execute("UPDATE run_ends SET timings = '7'")
    healthy.execute("UPDATE checkpoints SET telemetry = 'null'")
    (run,) = run_records.summaries(healthy)
    assert (run.timings, run.telemetry) == ({}, {})
    assert run_records.starts(healthy)[0].description == {}
