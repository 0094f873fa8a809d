"""The use and the cost of a run, and of several together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepMoments, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class SummableUsage:
    """Amounts that can be summed over runs. Times in seconds; `rows` are those that the runs
    settled, of the input that each had: one that is tried again by a later run counts for both.

    `requests` counts attempts, a request as often as it was tried; the reports' readers know it by
    this name. `retries` are the attempts after the first of a request, `failed_attempts` those that
    gave no answer, whose tokens are also in the `wasted` ones. `retries_with_feedback` were told of
    the failed answer before them, `answered_with_feedback` of these were accepted.
    `engine_restarts` are starts after the first in a run, `in_flight_at_deaths` the requests that
    engines had not answered when they died, whose tokens are not known. `cached_tokens` are part of
    `prompt_tokens`, `wasted_cached_tokens` of `wasted_prompt_tokens`.

    `steps` are the engine's, `starved_steps` those of them that had room for another request while
    rows were left, `sequences` the requests in its batches, summed over the steps. `idle_seconds`:
    the engine had nothing to do. `recomputed_tokens`: computed again after one of `preemptions`.
    `spared_tokens`: output tokens that at least would have been drawn, had the answers to choices
    not ended where one text was left.
    Of a killed run only the work before its last checkpoint is known.
    """

    rows: int
    requests: int
    retries: int
    failed_attempts: int
    retries_with_feedback: int
    answered_with_feedback: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    wasted_prompt_tokens: int
    wasted_cached_tokens: int
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
    spared_tokens: int
    steps: int
    starved_steps: int
    sequences: int
    engine_restarts: int
    engine_deaths: int
    in_flight_at_deaths: int

    @property
    def other_seconds(self) -> float:
        """The seconds that belong to none of the phases that follow each other."""
        named = (
            self.prepare_seconds
            + self.engine_start_seconds
            + self.generate_seconds
            + self.engine_stop_seconds
            + self.export_seconds
        )
        return max(0.0, self.seconds - named)


@dataclass(frozen=True, slots=True)
class EngineDeath:
    """An engine ended, or was ended because it hung, with requests in flight; `seconds` after the
    run began."""

    died_at: datetime
    reason: str
    in_flight: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """A price of a million tokens, of computed prompt tokens, cached ones and output tokens."""

    input: float
    cached: float
    output: float

    def cost_of(self, computed: float, cached: float, output: float) -> float:
        spent = computed * self.input + cached * self.cached + output * self.output
        return spent / 1_000_000


@dataclass(frozen=True, slots=True)
class RunResources:
    """The use of the machine by a run's processes, as far as it was measured; `gpu_...` and energy
    are None where no device reported them. `memory_bytes` is of the last look, `gpu_utilization`
    (0..1) the mean over the run."""

    cpu_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    gpu_utilization: float | None
    gpu_memory_bytes: int | None
    energy_joules: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage(SummableUsage):
    """One run. `forecast` is the forecast of the prefix cache
    (see `estimate.cache_forecast.Forecast`), made when the first engine was ready; None without
    one. `measured_hits` is the share that the forecast was about: of the prompt tokens of first
    attempts, those that the cache served (None if there were no such tokens).

    `moments` are sums over the engine's steps, and `weights` follow from them; of a run with too
    few steps, from those of all runs with the same model. `latency` counts requests by their
    seconds in flight (see `core.latency_histogram`). The price is by the hour or by the token, or
    None."""

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
    moments: StepMoments = field(default_factory=StepMoments)
    weights: Weights = field(default_factory=lambda: Weights(1.0, 1.0, measured=False))
    speculation: Speculation = field(default_factory=Speculation)
    latency: list[int] = field(default_factory=list)
    resources: RunResources | None = None
    price_per_hour: float | None
    price_per_million: Rates | None = None
    devices: int
    currency: str = "USD"

    @property
    def computed_tokens(self) -> int:
        """Prompt tokens that the prefix cache did not serve."""
        return self.prompt_tokens - self.cached_tokens

    @property
    def device_hours(self) -> float:
        return self.seconds / 3600 * self.devices

    @property
    def cost(self) -> float | None:
        """Device-hours, or tokens, times their price; None without a price."""
        if self.price_per_million is not None:
            return self.price_per_million.cost_of(
                self.computed_tokens, self.cached_tokens, self.output_tokens
            )
        return None if self.price_per_hour is None else self.device_hours * self.price_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalUsage(SummableUsage):
    """Sums and rates over runs. "Overall" rates count all time, "steady" ones generation only.

    Money is that of the runs that had a price, in the newest one's currency; `unpriced_runs` are
    the numbers of the others, and without any such run it is None. The cost of tokens is in
    `costs.Prices`.
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
    unpriced_runs: list[int]


def sum_up(runs: Sequence[RunUsage]) -> TotalUsage:
    """The sums over `runs` and the rates that follow from them."""
    summed = [*(field.name for field in fields(SummableUsage)), "device_hours"]
    sums = {name: sum(getattr(run, name) for run in runs) for name in summed}
    cost, paid = money_of(runs), priced(runs)
    steady = sums["generate_seconds"]
    overall = sums["seconds"]
    tokens = sums["prompt_tokens"] + sums["output_tokens"]
    return TotalUsage(
        runs=len(runs),
        **sums,
        rows_per_second_overall=_ratio(sums["rows"], overall),
        rows_per_second_steady=_ratio(sums["rows"], steady),
        output_tokens_per_second_overall=_ratio(sums["output_tokens"], overall),
        output_tokens_per_second_steady=_ratio(sums["output_tokens"], steady),
        tokens_per_second_steady=_ratio(tokens, steady),
        cost=cost,
        cost_per_1000_rows=_price(cost, sum(run.rows for run in paid), 1_000),
        unpriced_runs=[run.run for run in runs if run not in paid],
    )


def priced(runs: Sequence[RunUsage]) -> list[RunUsage]:
    """The runs whose money adds up: those with a price in the currency of the newest of them."""
    known = [run for run in runs if run.cost is not None]
    return [run for run in known if run.currency == known[-1].currency]


def money_of(runs: Sequence[RunUsage]) -> float | None:
    """The cost of the runs that have a price, together; None where none has one."""
    costs = [run.cost for run in priced(runs) if run.cost is not None]
    return sum(costs) if costs or not runs else None


def _ratio(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 and amount > 0 else None


def _price(cost: float | None, amount: float, unit: int) -> float | None:
    return cost / amount * unit if cost is not None and amount > 0 else None
