"""The parts of a report's page beside its tables and figures, as values with words in them."""

from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.reports.report import Report

UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the summary, with further ones below it."""

    name: str
    value: str
    more: list[str]


@dataclass(frozen=True, slots=True)
class State:
    """Rows in one state; `always`: it is shown although there are none."""

    name: str
    rows: int
    colour: str
    always: bool = True


def states(report: Report) -> list[State]:
    """The rows of the input by state; they add up to the rows in."""
    counts = report.counts
    return [
        State("answered", counts.answered, "series-3"),
        State("failed", counts.failed, "series-6"),
        State("rejected", counts.rejected, "series-5"),
        State("skipped", counts.skipped, "series-4", always=False),
        State("pending", counts.pending, "series-7", always=False),
    ]


def tiles(report: Report) -> list[Tile]:
    """Cost, time, speed and the share of the limit, of the last run; cost and time of one that
    computed nothing."""
    if not report.runs[-1].requests:
        return [_cost(report), _time(report)]
    return [_cost(report), _per_1000(report), _time(report), _speed(report), _limit(report)]


def idle(report: Report) -> str:
    """A sentence if the last run computed nothing, with the run that the parts of the page show
    which need computed rows; else empty."""
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
    costs = report.costs
    if costs.per_1000_rows is None:
        rows = report.last_run.rows
        seconds = report.last_run.device_hours * 3_600_000 / rows if rows else None
        value = UNKNOWN if seconds is None else units.seconds(seconds)
        return Tile("Device time per 1,000 rows", value, [])
    more = []
    if costs.virtual is not None and costs.physical is not None:
        saved = costs.virtual - costs.physical
        if saved > 0:
            share = units.share(saved / costs.virtual)
            more.append(f"{share} saved by cache, duplicates, reuse")
    value = units.money(costs.per_1000_rows, report.currency)
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
    if last.prompt_tokens and not last.output_tokens:
        return Tile("Tokens/s", units.rate(last.tokens_per_second_steady), [rows])
    return Tile("Output tokens/s", units.rate(last.output_tokens_per_second_steady), [rows])


def _limit(report: Report) -> Tile:
    reached = report.limit
    if reached is None:
        return Tile(
            "Share of the device's limit", UNKNOWN, ["no GPU, or device or model not known"]
        )
    cause = reached.causes[0] if reached.causes else None
    more = [f"most lost to: {cause.name}"] if cause else []
    return Tile("Share of the device's limit", units.share(reached.share), more)
