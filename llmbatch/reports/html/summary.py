"""What the page of a report says beside its tables and figures, as values with words in them."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.accounting.costs import Costs, Listed
from llmbatch.accounting.distributions import FailureExample
from llmbatch.core import units
from llmbatch.reports import wording
from llmbatch.reports.html import engine_settings
from llmbatch.reports.report import FailureLine, Report

UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the summary, with what is worth knowing beside it."""

    name: str
    value: str
    more: list[str]


@dataclass(frozen=True, slots=True)
class State:
    """Rows in one state; `always`: whether it is told when there are none."""

    name: str
    rows: int
    colour: str
    always: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of failure: how many rows, what to do, some of them."""

    kind: str
    rows: str
    advice: str
    examples: list[FailureExample]


def states(report: Report) -> list[State]:
    """The rows of the input by state; they add up to the rows in."""
    counts = report.counts
    return [
        State("answered", counts.answered, "series-3"),
        State("failed", counts.failed, "series-6"),
        State("rejected", counts.rejected, "series-5"),
        State("pending", counts.pending, "series-7", always=False),
    ]


def tiles(report: Report) -> list[Tile]:
    """Cost, time, speed and the share of the limit, of the last run; cost and time of one that
    computed nothing."""
    if not report.runs[-1].requests:
        return [_cost(report), _time(report)]
    return [_cost(report), _per_1000(report), _time(report), _speed(report), _limit(report)]


def no_money(report: Report) -> str:
    """Why there is no money of the last run, and what to do about it."""
    return f"Only time and tokens are told: {wording.no_money(report.runs[-1:])}."


def idle(report: Report) -> str:
    """That the last run computed nothing, if so; and which run those parts of the page are of
    that need one that did."""
    last, line = report.runs[-1], report.details.timeline
    if last.requests:
        return ""
    rest = f"; this is run {line.run}" if line is not None and line.run != last.run else ""
    return f"Run {last.run} computed nothing{rest}."


def _cost(report: Report) -> Tile:
    last, every = report.last_run, report.all_runs
    more = [f"{last.device_hours:,.4f} device-hours"]
    if every.runs > 1:
        total = UNKNOWN if every.cost is None else units.money(every.cost, report.currency)
        hours = f"{every.device_hours:,.4f} device-hours"
        more.append(f"all {every.runs:,} runs: {hours if every.cost is None else total}")
    if last.cost is None:
        return Tile("Cost of the last run", "no price given", more)
    return Tile("Cost of the last run", units.money(last.cost, report.currency), more)


def _per_1000(report: Report) -> Tile:
    found = report.costs
    if found.per_1000_rows is None:
        rows = report.last_run.rows
        seconds = report.last_run.device_hours * 3_600_000 / rows if rows else None
        value = UNKNOWN if seconds is None else units.seconds(seconds)
        return Tile("Device time per 1,000 rows", value, [])
    more = []
    if found.virtual is not None and found.physical is not None:
        saved = found.virtual - found.physical
        if saved > 0:
            share = units.share(saved / found.virtual)
            more.append(f"{share} saved by cache, duplicates, reuse")
    value = units.money(found.per_1000_rows, report.currency)
    return Tile("Per 1,000 rows", value, more)


def _time(report: Report) -> Tile:
    last = report.last_run
    return Tile(
        "Time",
        units.seconds(last.seconds),
        [
            f"{units.seconds(last.engine_start_seconds)} engine start, "
            f"{units.seconds(last.generate_seconds)} generation"
        ],
    )


def _speed(report: Report) -> Tile:
    last = report.last_run
    rows = f"{units.rate(last.rows_per_second_steady)} rows/s while generating"
    speed = units.rate(last.output_tokens_per_second_steady)
    return Tile("Output tokens/s", speed, [rows])


def _limit(report: Report) -> Tile:
    found = report.limit
    if found is None:
        return Tile(
            "Share of the device's limit", UNKNOWN, ["no GPU, or device or model not known"]
        )
    cause = found.causes[0] if found.causes else None
    more = [f"most lost to: {cause.name}"] if cause else []
    return Tile("Share of the device's limit", units.share(found.share), more)


def cost_notes(report: Report) -> list[str]:
    """How the money was divided, and what others ask."""
    costs, run = report.costs, report.runs[-1]
    paid = []
    if run.price_per_hour is not None and run.price_per_million is None:
        price = f"{run.currency} {units.price(run.price_per_hour)}"
        devices = units.count(run.devices, "device")
        paid.append(f"Paid: {devices} from the start of the run to its end, {price} an hour each.")
    if costs.physical is not None and report.all_costs.physical is None:
        paid.append(f"All runs have no sum: {wording.no_money(report.runs)}.")
    if len(report.runs) > 1:
        paid.append("Saved by reuse is told for the last run only.")
    return [*paid, *_weights(costs), *_listed(report, costs.listed)]


def _weights(costs: Costs) -> Iterator[str]:
    if costs.weights_measured and costs.prompt_weight > 0:
        ratio = costs.output_weight / costs.prompt_weight
        yield (
            "Measured on the engine's own steps: an output token takes the device "
            f"{units.seconds(costs.output_weight)}, a computed prompt token "
            f"{units.seconds(costs.prompt_weight)} ({units.significant(ratio, 3)} : 1)."
        )
    else:
        yield "The engine told too little to weigh its tokens: each counts the same."


def _listed(report: Report, listed: Listed | None) -> Iterator[str]:
    if listed is not None and listed.is_told:
        name = f" of {listed.name}" if listed.name else ""
        cost = units.money(listed.cost, report.currency)
        times = "" if listed.ratio is None else f", {wording.compared(listed.ratio)}"
        yield f"The same tokens at the listed price{name}: {cost}{times}."


def limit_told(report: Report) -> str:
    """How near the generation came to the device's limit, in a sentence."""
    found = report.limit
    if found is None:
        return ""
    return (
        f"Generation took {units.seconds(found.seconds)}. At best {found.device} computes the "
        f"same tokens in {units.seconds(found.roofline_seconds)}: "
        f"{units.share(found.share)} of its limit was reached, with "
        f"{units.rate(found.tokens_per_second)} tokens/s."
    )


def limit_source(report: Report) -> str:
    """Where the limit comes from."""
    found = report.limit
    if found is None:
        return ""
    batch = ""
    if found.batch is not None and found.largest_batch:
        batch = (
            f" A step had {units.rate(found.batch)} requests in the mean; "
            f"{units.number(found.largest_batch)} would fit."
        )
    return (
        f"{found.device}: {engine_settings.speeds(found.peak_flops, found.bandwidth)} "
        f"({found.source}). "
        f"For this model that is at most {units.rate(found.prefill_limit)} computed prompt "
        f"tokens/s, and {units.rate(found.decode_limit)} output tokens/s at the largest batch "
        f"that fits.{batch}"
    )


def failures(report: Report) -> list[Failure]:
    """The kinds of failures, each with examples; with its first message if there are none."""
    return [_failure(report, line) for line in report.failures]


def _failure(report: Report, line: FailureLine) -> Failure:
    examples = [each for each in report.details.failure_examples if each.kind == line.kind]
    return Failure(line.kind, units.count(line.rows, "row"), line.advice, examples)


def work_notes(report: Report) -> list[str]:
    """What the rows came to as requests, and what became of the forecast of the cache's hits."""
    notes = [
        f"{units.count(report.requests, 'distinct request')}; "
        f"{units.count(report.duplicates.rows, 'row')} shared the answer of another; "
        f"{units.count(report.reused, 'row')} had an answer from earlier runs."
    ]
    settled = [line for line in report.rows_by_attempts if line.attempts > 0]
    if any(line.attempts > 1 for line in settled):
        parts = (f"{line.answered + line.failed:,} after {line.attempts}" for line in settled)
        notes.append(f"Rows settled by the number of attempts: {', '.join(parts)}.")
    forecast, hits = report.runs[-1].forecast, report.runs[-1].measured_hits
    if forecast is not None and hits is not None:
        notes.append(
            f"Prefix cache: {units.share(hits)} of the prompt tokens of first attempts were "
            f"served by it; {units.share(forecast['hits'])} were forecast."
        )
    return notes
