"""Sums, rates and costs over runs."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from llmbatch.accounting.usage import RunUsage, sum_up

RUN = RunUsage(
    run=1,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ended_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
    reason="finished",
    exit_code=0,
    pid=1,
    host="h",
    llmbatch="0",
    checkpoints=3,
    rows=7200,
    requests=3600,
    retries=40,
    failed_attempts=50,
    retries_with_feedback=30,
    answered_with_feedback=10,
    prompt_tokens=700_000,
    cached_tokens=400_000,
    output_tokens=300_000,
    wasted_prompt_tokens=9_000,
    wasted_cached_tokens=5_000,
    wasted_output_tokens=1_000,
    seconds=3600.0,
    prepare_seconds=100.0,
    engine_start_seconds=600.0,
    generate_seconds=1800.0,
    engine_stop_seconds=0.0,
    idle_seconds=5.0,
    checkpoint_seconds=20.0,
    export_seconds=50.0,
    preemptions=2,
    recomputed_tokens=300,
    spared_tokens=700,
    steps=1000,
    starved_steps=10,
    sequences=60_000,
    engine_restarts=1,
    engine_deaths=2,
    in_flight_at_deaths=64,
    deaths=[],
    forecast=None,
    measured_hits=None,
    price_per_hour=4.0,
    devices=2,
)
NOTHING = replace(
    RUN,
    rows=0,
    requests=0,
    prompt_tokens=0,
    cached_tokens=0,
    output_tokens=0,
    seconds=0.0,
    generate_seconds=0.0,
    engine_stop_seconds=0.0,
)


def test_one_run_is_told_as_it_was() -> None:
    usage = sum_up([RUN])
    names = {field.name for field in fields(usage)} & {field.name for field in fields(RUN)}
    assert len(names) > 10
    assert {name: getattr(usage, name) for name in names} == {
        name: getattr(RUN, name) for name in names
    }


def test_runs_are_summed() -> None:
    usage = sum_up([RUN, replace(RUN, rows=800, seconds=400.0, preemptions=0, idle_seconds=0.5)])
    assert (usage.runs, usage.rows, usage.requests) == (2, 8000, 7200)
    assert (usage.seconds, usage.preemptions, usage.idle_seconds) == (4000.0, 2, 5.5)
    assert (usage.prompt_tokens, usage.cached_tokens) == (1_400_000, 800_000)


def test_overall_rates_count_all_time_and_steady_ones_generation_only() -> None:
    usage = sum_up([RUN])
    assert (usage.rows_per_second_overall, usage.rows_per_second_steady) == (2.0, 4.0)
    assert usage.output_tokens_per_second_overall == pytest.approx(300_000 / 3600)
    assert usage.output_tokens_per_second_steady == pytest.approx(300_000 / 1800)
    assert usage.tokens_per_second_steady == pytest.approx(1_000_000 / 1800)


def test_a_rate_over_runs_is_of_the_sums() -> None:
    slow = replace(RUN, rows=0, seconds=3600.0, generate_seconds=0.0)
    assert sum_up([RUN, slow]).rows_per_second_overall == 1.0
    assert sum_up([RUN, slow]).rows_per_second_steady == 4.0


def test_every_device_costs() -> None:
    usage = sum_up([RUN])
    assert usage.device_hours == 2.0
    assert usage.cost == 8.0
    assert usage.cost_per_1000_rows == pytest.approx(8.0 / 7.2)


def test_each_run_has_its_own_price() -> None:
    assert sum_up([RUN, replace(RUN, price_per_hour=1.0, devices=1)]).cost == 9.0


def test_a_run_without_a_price_is_named_and_left_out_of_the_sum() -> None:
    usage, alone = sum_up([RUN, replace(RUN, run=2, price_per_hour=None)]), sum_up([RUN])
    assert usage.unpriced_runs == [2]
    assert (usage.cost, usage.cost_per_1000_rows) == (alone.cost, alone.cost_per_1000_rows)
    assert usage.device_hours == 4.0
    none = sum_up([replace(RUN, price_per_hour=None)])
    assert (none.cost, none.cost_per_1000_rows, none.unpriced_runs) == (None, None, [1])


def test_only_the_newest_currency_is_summed() -> None:
    euro = replace(RUN, run=2, currency="EUR")
    usage = sum_up([RUN, euro, replace(RUN, run=3, price_per_hour=None)])
    assert (usage.cost, usage.unpriced_runs) == (sum_up([euro]).cost, [1, 3])


def test_a_free_device_costs_nothing_rather_than_an_unknown_sum() -> None:
    usage = sum_up([replace(RUN, price_per_hour=0.0)])
    assert (usage.cost, usage.cost_per_1000_rows) == (0.0, 0.0)


def test_nothing_done_divides_by_nothing() -> None:
    for usage in (sum_up([NOTHING]), sum_up([])):
        assert usage.cost == 0.0
        unknown = [field.name for field in fields(usage) if "_per_" in field.name]
        assert len(unknown) == 6
        assert {name: getattr(usage, name) for name in unknown} == dict.fromkeys(unknown)


def test_time_without_rows_has_no_price_per_row() -> None:
    usage = sum_up([replace(RUN, rows=0, output_tokens=0)])
    assert usage.cost == 8.0
    assert usage.cost_per_1000_rows is None
    assert usage.rows_per_second_overall is None
