"""The tables of a report's page, as values: their lines with all amounts in words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from llmbatch.accounting.attribution import Attribution, Share
from llmbatch.accounting.costs import Costs
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.timeline import Mark
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units
from llmbatch.reports import rounding, wording
from llmbatch.reports.html.figures import cause_colour, colour_of
from llmbatch.reports.report import Report
from llmbatch.reports.rounding import Savings

NONE = "-"
_MOST_SHARES = 25
_MOST_HIDDEN = 500
_MOST_RUNS = 30
_MOST_EVENTS = 20


@dataclass(frozen=True, slots=True)
class TableLine:
    """A line of a table: its name, its cells, and a text behind them where the table has one.

    `kind`: "sum", "sub" (a part of the line above), "aside" (its name is a note, no value of a
    row) or "". `colour`: the variable of the colour that the line has in a figure.
    """

    name: str
    cells: Sequence[str]
    text: str | None = None
    kind: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `texts`: whether its last column holds texts instead of amounts."""

    header: Sequence[str]
    lines: Sequence[TableLine] = field(default_factory=list)
    texts: bool = False


def costs(report: Report) -> Table:
    """What was paid and saved, and what a row and a token came to, for the last run and all; what
    is not known of either is left out."""
    both = [report.costs, report.all_costs][: len(report.runs)]
    savings = [None if each.physical is None else rounding.round_savings(each) for each in both]

    def told(name: str, of: Callable[[Savings], Decimal]) -> TableLine:
        cells = [NONE if each is None else f"{of(each):,f}" for each in savings]
        return TableLine(name, cells, kind="sum")

    def each(name: str, of: Callable[[Costs], float | None], kind: str = "") -> TableLine:
        return TableLine(name, [_money(of(each)) for each in both], kind=kind)

    spent = [_money(each.wasted, each.physical) for each in both]
    lines = [
        told("Paid", lambda each: each.paid),
        TableLine("of it for failed attempts", spent, kind="sub"),
        *(_saved(both, savings, saving.by) for saving in report.costs.savings),
        told("Without these savings", lambda each: each.without),
        each("Paid per row", lambda each: each.per_row),
        each("per 1,000 rows", lambda each: each.per_1000_rows),
        each("per million input tokens", lambda each: each.per_million.input),
        each("computed", lambda each: each.per_million.computed_input, "sub"),
        each("cached", lambda each: each.per_million.cached, "sub"),
        each("per million output tokens", lambda each: each.per_million.output),
        each("per million tokens", lambda each: each.per_million.total),
    ]
    unit = "" if report.all_costs.physical is None else f"in {report.currency}"
    return Table(_heads(report, unit), [line for line in lines if set(line.cells) != {NONE}])


def _heads(report: Report, unit: str = "") -> list[str]:
    return [unit, "last run", "all runs"] if len(report.runs) > 1 else [unit, "the run"]


def _money(amount: float | None, total: float | None = None) -> str:
    return NONE if amount is None else units.digits(amount, total)


def _saved(both: Sequence[Costs], told: Sequence[Savings | None], by: str) -> TableLine:
    cells = [_saving(costs, saved, by) for costs, saved in zip(both, told, strict=True)]
    return TableLine(f"Saved by {'the ' if by == 'prefix cache' else ''}{by}", cells)


def _saving(costs: Costs, told: Savings | None, by: str) -> str:
    for place, saving in enumerate(costs.savings):
        if saving.by == by:
            cost = None if told is None else told.savings[place]
            tokens = saving.prompt_tokens + saving.output_tokens
            return f"{tokens:,} tokens" if cost is None else f"{cost:,f}"
    return NONE


def phases(report: Report) -> Table:
    """Where the time of the last run went, and the money with it."""
    costs = report.costs
    every = list(zip(costs.phases, rounding.round_phases(costs), strict=True))
    shown = [(phase, cost) for phase, cost in every if phase.seconds > 0 or cost]
    whole = sum(phase.seconds for phase, _ in shown if not phase.parallel)
    lines = [
        TableLine(
            f"{phase.name} (beside the others)" if phase.parallel else phase.name,
            [
                units.seconds(phase.seconds),
                units.share(phase.seconds / whole) if whole else NONE,
                NONE if cost is None else f"{cost:,f}",
            ],
            kind="sub" if phase.parallel else "",
            colour="" if phase.parallel else colour_of(phase.name),
        )
        for phase, cost in shown
    ]
    parts = [line for line in lines if not line.kind]
    beside = [line for line in lines if line.kind]
    cells = [units.seconds(whole), units.share(1), _money(costs.physical)]
    header = ["", "time", "share", f"cost, {report.currency}"]
    return Table(header, [*parts, TableLine("last run", cells, kind="sum"), *beside])


def limit(found: DeviceShare | None) -> Table:
    """The seconds of generation: those of the roofline, and what took the others."""
    header = ["", "time", "share", "what to do"]
    if found is None:
        return Table(header, texts=True)
    seconds, share = units.seconds, units.share
    least = [seconds(found.roofline_seconds), share(found.share)]
    lines = [TableLine("roofline", least, "the least time for these tokens", colour="series-1")]
    lines += [
        TableLine(
            cause.name,
            [seconds(cause.seconds), share(cause.share)],
            cause.advice,
            colour=cause_colour(place),
        )
        for place, cause in enumerate(found.causes)
    ]
    lines.append(TableLine("generation", [seconds(found.seconds), share(1)], "", kind="sum"))
    return Table(header, lines, texts=True)


def shares(report: Report) -> tuple[Table, Table]:
    """The largest shares of the cost with their sum, and those after them."""
    found = report.attribution
    if found is None:
        return Table([]), Table([])
    header = [
        " / ".join(found.by),
        "rows settled",
        "computed prompt tokens",
        "output tokens",
        "device time",
        f"cost, {report.currency}",
        "share",
    ]
    prompts = rounding.round_counts([share.computed_prompt_tokens for share in found.shares])
    outputs = rounding.round_counts([share.output_tokens for share in found.shares])
    shown = zip(found.shares[: _MOST_SHARES + _MOST_HIDDEN], prompts, outputs, strict=False)
    lines = [_share(found, *each) for each in shown]
    largest = lines[:_MOST_SHARES]
    largest.append(
        TableLine(
            "all",
            [
                units.number(sum(share.rows for share in found.shares)),
                units.number(sum(prompts)),
                units.number(sum(outputs)),
                units.seconds(found.device_seconds),
                _money(found.total),
                units.share(1),
            ],
            kind="sum",
        )
    )
    return Table(header, largest), Table(header, lines[_MOST_SHARES:])


def shares_left_out(found: Attribution | None) -> str:
    """What of the shares is in neither table."""
    more = len(found.shares) - _MOST_SHARES - _MOST_HIDDEN if found else 0
    return f"{units.count(more, 'smaller share')} not shown: see the JSON." if more > 0 else ""


def _share(found: Attribution, share: Share, prompt_tokens: int, output_tokens: int) -> TableLine:
    return TableLine(
        wording.group(share.values, share.note),
        [
            units.number(share.rows),
            units.number(prompt_tokens),
            units.number(output_tokens),
            units.seconds(share.device_seconds),
            _money(share.cost, found.total),
            units.share(share.share),
        ],
        kind="" if share.note is None else "aside",
    )


def events(report: Report) -> Table:
    """Engines of the last run that did work: starts, deaths and the end, if there is any trouble
    to tell of."""
    line = report.details.timeline
    marks = [mark for mark in line.marks if mark.kind != "checkpoint"] if line else []
    if not any(mark.kind in ("engine died", "engine restarted", "stopped") for mark in marks):
        marks = []
    shown = marks[:_MOST_EVENTS]
    lines = [TableLine(units.seconds(mark.at), [], _event(mark)) for mark in shown]
    if len(marks) > len(shown):
        lines.append(TableLine("", [], f"and {len(marks) - len(shown):,} more: see the JSON"))
    return Table(["after", "what"], lines, texts=True)


def _event(mark: Mark) -> str:
    return mark.text if mark.text.startswith(mark.kind) else f"{mark.kind}: {mark.text}"


def work(report: Report) -> Table:
    """Rows, requests, tokens, steps and speed of the last run and of all."""
    both = [report.last_run, report.all_runs][: len(report.runs)]

    def line(name: str, of: Callable[[TotalUsage], str], kind: str = "") -> TableLine:
        return TableLine(name, [of(each) for each in both], kind=kind)

    n, rate = units.number, units.rate
    lines = [
        line("rows settled", lambda each: n(each.rows)),
        line("attempts", lambda each: n(each.requests)),
        line("retries", lambda each: n(each.retries), "sub"),
        line("that failed", lambda each: n(each.failed_attempts), "sub"),
        line("prompt tokens", lambda each: n(each.prompt_tokens)),
        line("served by the prefix cache", _cached, "sub"),
        line("output tokens", lambda each: n(each.output_tokens)),
        line("rows/s, start to end", lambda each: rate(each.rows_per_second_overall)),
        line("rows/s while generating", lambda each: rate(each.rows_per_second_steady)),
        line("output tokens/s, generating", lambda e: rate(e.output_tokens_per_second_steady)),
        line("all tokens/s, generating", lambda each: rate(each.tokens_per_second_steady)),
        line("engine steps", lambda each: n(each.steps)),
        line("requests in each", _batch, "sub"),
        line("short of rows", lambda each: _of_steps(each.starved_steps, each), "sub"),
        line("preemptions", lambda each: n(each.preemptions)),
        line("engine deaths", lambda each: n(each.engine_deaths)),
        line("engine restarts", lambda each: n(each.engine_restarts)),
    ]
    return Table(_heads(report), lines)


def _cached(usage: TotalUsage) -> str:
    if not usage.prompt_tokens:
        return units.number(usage.cached_tokens)
    share = units.share(usage.cached_tokens / usage.prompt_tokens)
    return f"{usage.cached_tokens:,} ({share})"


def _batch(usage: TotalUsage) -> str:
    return units.rate(usage.sequences / usage.steps) if usage.steps else NONE


def _of_steps(number: int, usage: TotalUsage) -> str:
    return units.share(number / usage.steps) if usage.steps else NONE


def runs(report: Report) -> Table:
    """The runs, the newest first."""
    header = ["run", "began", "time", "rows", "rows/s", "restarts", "cost", "ended"]
    shown = report.runs[::-1][:_MOST_RUNS]
    return Table(header, [_run(run) for run in shown], texts=True)


def runs_left_out(report: Report) -> str:
    """How many runs are not in the table."""
    more = len(report.runs) - _MOST_RUNS
    return f"{units.count(more, 'earlier run')} not shown: see the JSON." if more > 0 else ""


def _run(run: RunUsage) -> TableLine:
    speed = run.rows / run.seconds if run.rows and run.seconds else None
    return TableLine(
        str(run.run),
        [
            f"{run.started_at:%Y-%m-%d %H:%M}",
            units.seconds(run.seconds),
            units.number(run.rows),
            units.rate(speed),
            units.number(run.engine_restarts),
            NONE if run.cost is None else units.money(run.cost, run.currency),
        ],
        run.reason,
    )


def of_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of rows whose first cell is their name."""
    return Table(header, [TableLine(row[0], row[1:]) for row in rows])
