"""The runs of a job as values, read from its store."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

from llmbatch.accounting.usage import EngineDeath, Rates, RunResources, RunUsage
from llmbatch.core import step_cost
from llmbatch.core.clock import Moment
from llmbatch.core.errors import UsageError
from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepMoments, Weights
from llmbatch.job import stored
from llmbatch.job.cost import CostSpec, TokenPrice
from llmbatch.job.engine import devices_of
from llmbatch.store import run_records
from llmbatch.store.database import Database
from llmbatch.store.run_records import DeathRecord, RunSummary, RunTokens, StartRecord

# The engine's counters; an older llmbatch did not have all of them.
_COUNTERS = (
    "preemptions", "recomputed_tokens", "spared_tokens", "steps", "starved_steps", "sequences",
)  # fmt: skip
_TOKENS = (
    "prompt_tokens", "cached_tokens", "output_tokens",
    "wasted_prompt_tokens", "wasted_cached_tokens", "wasted_output_tokens",
)  # fmt: skip
_PHASES = ("prepare", "engine_start", "generate", "engine_stop", "checkpoint", "export")
# A job has one of these two prices.
_PRICES = {"price_per_hour", "price_per_million"}
_NO_TOKENS = RunTokens()


def cost_of(
    spec: dict[str, Any], override: CostSpec | None = None, replicas: int | None = None
) -> CostSpec:
    """The cost table of a run's spec, as the store holds it, with the settings of `override` over
    it. A store of an older llmbatch may lack some. A number of devices that was not given is that
    of the engine's options, with as many `replicas` as it had, if that is known. Raises UsageError
    for another currency without a price in it: nothing converts amounts."""
    table = {name: value for name, value in spec["cost"].items() if name in CostSpec.model_fields}
    given = override.model_dump(exclude_unset=True) if override else {}
    if any(given.get(name) is not None for name in _PRICES):
        table = {name: value for name, value in table.items() if name not in _PRICES}
    wanted = table | given
    _check_currency(table, wanted["currency"] if "currency" in given else None)
    devices = wanted.get("devices") or devices_of(spec.get("engine") or {}, replicas)
    return CostSpec.model_validate(wanted | {"devices": devices})


def _check_currency(table: dict[str, Any], wanted: str | None) -> None:
    own = table.get("currency", "USD")
    if wanted in (None, own) or all(table.get(name) is None for name in _PRICES):
        return
    raise UsageError(
        f"--currency {wanted}: a run has a price in {own}, and nothing converts it; give the price "
        "of all runs, too, with --price-per-hour or --price-per-million"
    )


@dataclass(slots=True)
class RunParts:
    """All that the store has of one run beside its summary."""

    tokens: RunTokens = _NO_TOKENS
    rows: int = 0
    starts: list[StartRecord] = field(default_factory=list)
    deaths: list[DeathRecord] = field(default_factory=list)
    forecast: dict[str, Any] | None = None


def read(
    db: Database,
    summaries: Sequence[RunSummary],
    starts: Sequence[StartRecord],
    override: CostSpec | None = None,
) -> list[RunUsage]:
    """All runs. `override`: settings of the cost that win over those of the runs."""
    parts: dict[int, RunParts] = defaultdict(RunParts)
    for run, tokens in run_records.tokens(db).items():
        parts[run].tokens = tokens
    for run, rows in run_records.rows(db).items():
        parts[run].rows = rows
    for start in starts:
        parts[start.run].starts.append(start)
    for death in run_records.deaths(db):
        parts[death.run].deaths.append(death)
    for made in run_records.forecasts(db):
        parts[made.run].forecast = made.forecast or None
    specs = [stored.read_settings(summary.spec) for summary in summaries]
    runs = [
        _run(
            summary,
            parts[summary.run],
            cost_of(spec, override, _replicas(parts[summary.run].starts)),
        )
        for summary, spec in zip(summaries, specs, strict=True)
    ]
    return _weighed(runs, [spec["model"] for spec in specs])


def _replicas(starts: Sequence[StartRecord]) -> int | None:
    """The most replicas of a run's engines; None where they had none."""
    found = [(start.description.get("parallelism") or {}).get("replicas") for start in starts]
    return max((number for number in found if isinstance(number, int)), default=None)


def _weighed(runs: list[RunUsage], models: list[str]) -> list[RunUsage]:
    """Give each run the weights of its tokens."""
    pairs = list(zip(runs, models, strict=True))
    together = {
        model: _weights([run for run, other in pairs if other == model]) for model in set(models)
    }
    weighed = []
    for run, model in pairs:
        own = _weights([run])
        weighed.append(replace(run, weights=own if own.measured else together[model]))
    return weighed


def _weights(runs: Sequence[RunUsage]) -> Weights:
    """The weights of tokens by the steps of these runs together."""
    moments = reduce(add, (run.moments for run in runs), StepMoments())
    return step_cost.weights(moments, sum(run.speculation.accepted_tokens for run in runs))


def _run(summary: RunSummary, parts: RunParts, cost: CostSpec) -> RunUsage:
    began, ended = summary.started, _end(summary, parts)
    return RunUsage(
        run=summary.run,
        started_at=began.at,
        ended_at=ended.at,
        reason=summary.reason or "killed",
        exit_code=summary.exit_code,
        pid=summary.pid,
        host=summary.host,
        llmbatch=summary.version,
        checkpoints=summary.checkpoints,
        rows=int(summary.telemetry.get("rows", parts.rows)),
        seconds=ended.since(began),
        forecast=parts.forecast,
        **_timings(summary, parts, ended),
        **_tokens(parts.tokens),
        **_telemetry(summary.telemetry),
        **_engines(parts, began),
        price_per_hour=cost.price_per_hour,
        price_per_million=rates(cost.price_per_million),
        devices=cost.devices or 1,
        currency=cost.currency,
    )


def _tokens(tokens: RunTokens) -> dict[str, Any]:
    return {
        "requests": tokens.attempts,
        "retries": tokens.retries,
        "failed_attempts": tokens.failed,
        "retries_with_feedback": tokens.told,
        "answered_with_feedback": tokens.told_answered,
        "measured_hits": tokens.measured_hits,
    } | {name: int(getattr(tokens, name)) for name in _TOKENS}


def _telemetry(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "idle_seconds": measured.get("idle_seconds", 0.0),
        "moments": StepMoments.from_json(measured.get("moments")),
        "speculation": Speculation.from_json(measured.get("speculation")),
        "latency": measured.get("latency") or [],
        "resources": _resources(measured.get("resources")),
    } | {name: measured.get(name, 0) for name in _COUNTERS}


def _engines(parts: RunParts, began: Moment) -> dict[str, Any]:
    return {
        "engine_restarts": max(0, len(parts.starts) - 1),
        "engine_deaths": len(parts.deaths),
        "in_flight_at_deaths": sum(death.in_flight for death in parts.deaths),
        "deaths": [_death(death, began) for death in parts.deaths],
    }


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


def _death(death: DeathRecord, began: Moment) -> EngineDeath:
    return EngineDeath(death.died.at, death.reason, death.in_flight, death.died.since(began))


def _end(summary: RunSummary, parts: RunParts) -> Moment:
    """The end of a run; of a killed one, the last moment at which it is known to have lived."""
    if summary.ended:
        return summary.ended
    began = summary.started
    signs = [began, *(start.ready for start in parts.starts)]
    signs += [death.died for death in parts.deaths]
    if summary.committed:
        signs.append(summary.committed)
    return max(signs, key=lambda sign: sign.since(began))


def _timings(summary: RunSummary, parts: RunParts, ended: Moment) -> dict[str, Any]:
    """Seconds by phase, as fields of RunUsage."""
    timings = summary.timings
    if timings is None:
        timings = _timings_by_engines(summary, parts, ended)
    return {f"{name}_seconds": timings.get(name, 0.0) for name in _PHASES}


def _timings_by_engines(summary: RunSummary, parts: RunParts, ended: Moment) -> dict[str, float]:
    """The phases of a run that was killed before it wrote them, by its engines' starts and
    deaths."""
    run = summary.started
    began = [start.began.since(run) for start in parts.starts]
    ready = [start.ready.since(run) for start in parts.starts]
    died = [death.died.since(run) for death in parts.deaths]
    starting = generating = 0.0
    for started, at, end in zip(began, ready, [*began[1:], ended.since(run)], strict=False):
        starting += max(0.0, at - started)
        inside = [death for death in died if at <= death <= end]
        # A part of an engine may have died before, such as a replica.
        last = inside[-1] if inside and end != ended.since(run) else end
        generating += max(0.0, last - at)
    prepare = began[0] if began else 0.0
    return {"prepare": prepare, "engine_start": starting, "generate": generating}
