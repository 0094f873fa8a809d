"""The runs of a job as values, read from its store."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

from llmbatch.accounting.usage import EngineDeath, Rates, RunResources, RunUsage
from llmbatch.core import step_cost
from llmbatch.core.clock import Moment
from llmbatch.core.errors import UsageError
from llmbatch.core.step_cost import StepMoments
from llmbatch.core.stored import json_table
from llmbatch.job import stored
from llmbatch.job.cost import CostSpec, TokenPrice
from llmbatch.job.spec import parallel
from llmbatch.store import moments, results
from llmbatch.store.database import Database

# What the engine has counted; one of an older llmbatch had not counted all of it.
_COUNTERS = ("preemptions", "recomputed_tokens", "steps", "starved_steps", "sequences")
# What goes with a price by the hour, and with one by the token: a job has one of the two.
_PRICES = {"price_per_hour", "price_per_million"}


def cost_of(spec: dict[str, Any], override: CostSpec | None = None) -> CostSpec:
    """The cost table of a run's spec, as the store holds it; what `override` sets wins. A store
    may be of an older llmbatch, which knew less of it. Where nobody gave a number of devices, it is
    that of the engine's options. Raises UsageError for another currency without a price in it:
    nothing converts amounts."""
    held = {name: value for name, value in spec["cost"].items() if name in CostSpec.model_fields}
    given = override.model_dump(exclude_unset=True) if override else {}
    if any(given.get(name) is not None for name in _PRICES):
        held = {name: value for name, value in held.items() if name not in _PRICES}
    wanted = held | given
    _check_currency(held, wanted["currency"] if "currency" in given else None)
    devices = wanted.get("devices") or parallel(spec.get("engine") or {})
    return CostSpec.model_validate(wanted | {"devices": devices})


def _check_currency(held: dict[str, Any], wanted: str | None) -> None:
    own = held.get("currency", "USD")
    if wanted in (None, own) or all(held.get(name) is None for name in _PRICES):
        return
    raise UsageError(
        f"--currency {wanted}: a run has a price in {own}, and nothing converts it; give the price "
        "of all runs, too, with --price-per-hour or --price-per-million"
    )


@dataclass(slots=True)
class RunRecords:
    """What the store holds of one run beside its summary."""

    tokens: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    starts: list[dict[str, Any]] = field(default_factory=list)
    deaths: list[dict[str, Any]] = field(default_factory=list)
    forecast: dict[str, Any] | None = None


def read(
    db: Database,
    summaries: list[dict[str, Any]],
    starts: list[dict[str, Any]],
    override: CostSpec | None = None,
) -> list[RunUsage]:
    """All runs. `summaries`, `starts`: the records of the queries `run_summaries` and
    `engine_starts`; `override`: settings of the cost that win over those of the runs."""
    records: dict[int, RunRecords] = defaultdict(RunRecords)
    for line in results.report(db, "run_tokens"):
        records[line["run"]].tokens = line
    for line in results.report(db, "run_rows"):
        records[line["run"]].rows = line["rows"]
    for line in starts:
        records[line["run"]].starts.append(line)
    for line in results.report(db, "engine_deaths"):
        records[line["run"]].deaths.append(line)
    for line in results.report(db, "forecasts"):
        records[line["run"]].forecast = json_table(line["forecast"]) or None
    specs = [stored.settings(line["spec"]) for line in summaries]
    runs = [
        _run(line, records[line["run"]], cost_of(spec, override))
        for line, spec in zip(summaries, specs, strict=True)
    ]
    return _weighed(runs, [spec["model"] for spec in specs])


def _weighed(runs: list[RunUsage], models: list[str]) -> list[RunUsage]:
    """Give each run the weights of its tokens."""
    together: dict[str, StepMoments] = {
        model: _sum(run.moments for run, other in zip(runs, models, strict=True) if other == model)
        for model in set(models)
    }
    weighed = []
    for run, model in zip(runs, models, strict=True):
        own = step_cost.weights(run.moments)
        weights = own if own.measured else step_cost.weights(together[model])
        weighed.append(replace(run, weights=weights))
    return weighed


def _sum(moments: Iterable[StepMoments]) -> StepMoments:
    return reduce(add, moments, StepMoments())


def _run(line: dict[str, Any], records: RunRecords, cost: CostSpec) -> RunUsage:
    telemetry = json_table(line["telemetry"])
    began, ended = moments.read(line, "started"), _end(line, records)
    timings = _timings(line, records, ended)
    tokens = records.tokens
    return RunUsage(
        run=line["run"],
        started_at=began.at,
        ended_at=ended.at,
        reason=line["reason"] or "killed",
        exit_code=line["exit_code"],
        pid=line["pid"],
        host=line["host"],
        llmbatch=line["version"],
        checkpoints=line["checkpoints"],
        rows=records.rows,
        requests=tokens.get("attempts", 0),
        retries=tokens.get("retries", 0),
        failed_attempts=tokens.get("failed", 0),
        prompt_tokens=int(tokens.get("prompt_tokens", 0)),
        cached_tokens=int(tokens.get("cached_tokens", 0)),
        output_tokens=int(tokens.get("output_tokens", 0)),
        wasted_prompt_tokens=int(tokens.get("wasted_prompt_tokens", 0)),
        wasted_cached_tokens=int(tokens.get("wasted_cached_tokens", 0)),
        wasted_output_tokens=int(tokens.get("wasted_output_tokens", 0)),
        seconds=ended.since(began),
        prepare_seconds=timings["prepare"],
        engine_start_seconds=timings["engine_start"],
        generate_seconds=timings["generate"],
        engine_stop_seconds=timings["engine_stop"],
        idle_seconds=telemetry.get("idle_seconds", 0.0),
        checkpoint_seconds=timings["checkpoint"],
        export_seconds=timings["export"],
        **{name: telemetry.get(name, 0) for name in _COUNTERS},
        engine_restarts=max(0, len(records.starts) - 1),
        engine_deaths=len(records.deaths),
        in_flight_at_deaths=sum(death["in_flight"] for death in records.deaths),
        deaths=[_death(death, began) for death in records.deaths],
        forecast=records.forecast,
        measured_hits=tokens.get("measured_hits"),
        moments=StepMoments.from_json(telemetry.get("moments")),
        latency=telemetry.get("latency") or [],
        resources=_resources(telemetry.get("resources")),
        price_per_hour=cost.price_per_hour,
        price_per_million=rates(cost.price_per_million),
        devices=cost.devices or 1,
        currency=cost.currency,
    )


def rates(price: TokenPrice | None) -> Rates | None:
    """A price by the token with what its user left out: cached tokens cost as others do."""
    if price is None:
        return None
    cached = price.input if price.cached is None else price.cached
    return Rates(price.input, cached, price.output)


def _resources(measured: dict[str, Any] | None) -> RunResources | None:
    if not measured:
        return None
    return RunResources(
        cpu_seconds=measured.get("cpu_seconds", 0.0),
        memory_bytes=measured.get("memory_bytes", 0),
        peak_memory_bytes=measured.get("peak_memory_bytes", 0),
        gpu_utilization=measured.get("gpu_utilization"),
        gpu_memory_bytes=measured.get("gpu_memory_bytes"),
        energy_joules=measured.get("energy_joules"),
    )


def _death(line: dict[str, Any], began: Moment) -> EngineDeath:
    died = moments.read(line, "died")
    return EngineDeath(died.at, line["reason"], line["in_flight"], died.since(began))


def _end(line: dict[str, Any], records: RunRecords) -> Moment:
    """When a run ended; of a killed one, when it was last known to live."""
    if line["ended_at"]:
        return moments.read(line, "ended")
    began = moments.read(line, "started")
    signs = [began, *(moments.read(start, "ready") for start in records.starts)]
    signs += [moments.read(death, "died") for death in records.deaths]
    if line["committed_at"]:
        signs.append(moments.read(line, "committed"))
    return max(signs, key=lambda sign: sign.since(began))


def _timings(line: dict[str, Any], records: RunRecords, ended: Moment) -> dict[str, float]:
    """Seconds by phase. A phase that an older llmbatch did not measure counts as zero."""
    names = ("prepare", "engine_start", "generate", "engine_stop", "checkpoint", "export")
    timings = dict.fromkeys(names, 0.0)
    if line["timings"]:
        timings |= json_table(line["timings"])
        return timings
    run = moments.read(line, "started")
    began = [moments.read(start, "began").since(run) for start in records.starts]
    ready = [moments.read(start, "ready").since(run) for start in records.starts]
    died = [moments.read(death, "died").since(run) for death in records.deaths]
    timings["prepare"] = began[0] if began else 0.0
    for started, at, end in zip(began, ready, [*began[1:], ended.since(run)], strict=False):
        timings["engine_start"] += max(0.0, at - started)
        last = min([end, *(death for death in died if death >= at)])
        timings["generate"] += max(0.0, last - at)
    return timings
