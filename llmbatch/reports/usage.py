"""What runs used, and what that cost."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What can be summed over runs. Times in seconds; `rows` are rows of the present input.

    `requests` counts all attempts, `retries` those of them that were not the first of their
    request, `failed_attempts` those that gave no answer; the tokens of the latter are also in the
    `wasted` ones. `engine_restarts` are starts after the first in a run, `in_flight_at_deaths`
    the requests that engines had not answered when they died, whose tokens nobody knows.

    `steps` are the engine's, `starved_steps` those of them that had room for another request while
    rows were left, `sequences` the requests in its batches, summed over the steps. `idle_seconds`:
    the engine had nothing to do. `recomputed_tokens`: computed again after one of `preemptions`.
    Only what had happened before the last checkpoint of a run is known of it.
    """

    rows: int
    requests: int
    retries: int
    failed_attempts: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    wasted_prompt_tokens: int
    wasted_output_tokens: int
    seconds: float
    prepare_seconds: float
    engine_start_seconds: float
    generate_seconds: float
    engine_stop_seconds: float
    idle_seconds: float
    checkpoint_seconds: float
    export_seconds: float
    preemptions: int
    recomputed_tokens: int
    steps: int
    starved_steps: int
    sequences: int
    engine_restarts: int
    engine_deaths: int
    in_flight_at_deaths: int


@dataclass(frozen=True, slots=True)
class EngineDeath:
    """An engine ended, or was ended because it hung, with requests in flight."""

    died_at: datetime
    reason: str
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage(Amounts):
    """One run; `rows` are those that it settled. `forecast` is what was expected of the prefix
    cache when its first engine was ready (see `pipeline.forecast.Forecast`), if anything was;
    `measured_hits` is the share of the prompt tokens that it served to requests that were tried
    for the first time, as forecast (None if there were none)."""

    run: int
    started_at: datetime
    ended_at: datetime
    reason: str
    exit_code: int | None
    pid: int
    host: str
    llmbatch: str
    checkpoints: int
    deaths: list[EngineDeath]
    forecast: dict[str, Any] | None
    measured_hits: float | None
    price_per_hour: float | None
    devices: int

    @property
    def device_hours(self) -> float:
        return self.seconds / 3600 * self.devices

    @property
    def cost(self) -> float | None:
        """Device-hours times their price; None without a price."""
        return None if self.price_per_hour is None else self.device_hours * self.price_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Amounts):
    """Sums and rates over runs. "Overall" rates count all time, "steady" ones generation only.

    Money is None where a run had no price. Per-token prices are for a million tokens.
    """

    runs: int
    rows_per_second_overall: float | None
    rows_per_second_steady: float | None
    output_tokens_per_second_overall: float | None
    output_tokens_per_second_steady: float | None
    tokens_per_second_steady: float | None
    device_hours: float
    cost: float | None
    cost_per_1000_rows: float | None
    cost_per_million_tokens: float | None
    cost_per_million_output_tokens: float | None


def total(runs: Sequence[RunUsage]) -> Usage:
    """The sums over `runs` and the rates that follow from them."""
    summed = [*(field.name for field in fields(Amounts)), "device_hours"]
    sums = {name: sum(getattr(run, name) for run in runs) for name in summed}
    costs = [run.cost for run in runs]
    cost = None if None in costs else sum(cost for cost in costs if cost is not None)
    steady = sums["generate_seconds"]
    overall = sums["seconds"]
    tokens = sums["prompt_tokens"] + sums["output_tokens"]
    return Usage(
        runs=len(runs),
        **sums,
        rows_per_second_overall=_ratio(sums["rows"], overall),
        rows_per_second_steady=_ratio(sums["rows"], steady),
        output_tokens_per_second_overall=_ratio(sums["output_tokens"], overall),
        output_tokens_per_second_steady=_ratio(sums["output_tokens"], steady),
        tokens_per_second_steady=_ratio(tokens, steady),
        cost=cost,
        cost_per_1000_rows=_price(cost, sums["rows"], 1_000),
        cost_per_million_tokens=_price(cost, tokens, 1_000_000),
        cost_per_million_output_tokens=_price(cost, sums["output_tokens"], 1_000_000),
    )


def _ratio(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 and amount > 0 else None


def _price(cost: float | None, amount: float, unit: int) -> float | None:
    return cost / amount * unit if cost is not None and amount > 0 else None
