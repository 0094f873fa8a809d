"""The tables of a report that divide time and money: by purpose, phase and values of columns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from llmbatch.accounting.attribution import Attribution, Share
from llmbatch.accounting.costs import Costs
from llmbatch.core import units
from llmbatch.reports import rounding, wording
from llmbatch.reports.report import Report
from llmbatch.reports.rounding import Savings
from llmbatch.reports.table import NONE, Table, TableLine


def costs(report: Report) -> Table:
    """The cost and the savings, per row and per token, of the last run and of all; lines of which
    neither is known are left out."""
    both = [report.costs, report.all_costs][: len(report.runs)]
    savings = [None if each.physical is None else rounding.round_savings(each) for each in both]

    def total(name: str, of: Callable[[Savings], Decimal | None], kind: str = "") -> TableLine:
        return TableLine([name, *(NONE if s is None else _exact(of(s)) for s in savings)], kind)

    def saved(by: str) -> TableLine:
        name = f"Saved by {'the ' if by == 'prefix cache' else ''}{by}"
        return total(name, lambda savings: savings.by.get(by))

    def each(name: str, of: Callable[[Costs], float | None], kind: str = "") -> TableLine:
        return TableLine([name, *(_money(of(costs)) for costs in both)], kind)

    lines = [
        total("Paid", lambda each: each.paid, "sum"),
        TableLine(["of it for failed attempts", *map(_wasted, both)], "sub"),
        *(saved(saving.by) for saving in report.costs.savings),
        total("Without these savings", lambda each: each.without, "sum"),
        each("Paid per row", lambda each: each.per_row),
        each("per 1,000 rows", lambda each: each.per_1000_rows),
        each("per million input tokens", lambda each: each.per_million.input),
        each("computed", lambda each: each.per_million.computed_input, "sub"),
        each("cached", lambda each: each.per_million.cached, "sub"),
        each("per million output tokens", lambda each: each.per_million.output),
        each("per million tokens", lambda each: each.per_million.total),
    ]
    return Table(
        key="cost",
        title="What it cost",
        header=heads(report, f"in {report.currency}"),
        lines=[line for line in lines if set(line.cells[1:]) != {NONE}],
        notes=list(_cost_notes(report)),
    )


def heads(report: Report, first: str) -> list[str]:
    """The header of a table that has a column for the last run and one for all."""
    return [first, "last run", "all runs"] if len(report.runs) > 1 else [first, "the run"]


def _wasted(costs: Costs) -> str:
    return _money(costs.wasted, costs.physical)


def _money(amount: float | None, total: float | None = None) -> str:
    return NONE if amount is None else units.digits(amount, total)


def _exact(amount: Decimal | None) -> str:
    return NONE if amount is None else f"{amount:,f}"


def _cost_notes(report: Report) -> Iterator[str]:
    """The prices, the weights of tokens, and the listed price."""
    costs, run = report.costs, report.runs[-1]
    if costs.physical is None:
        yield f"Only time and tokens are reported: {wording.no_money(report.runs[-1:])}."
    if run.price_per_hour is not None and run.price_per_million is None:
        price = f"{run.currency} {units.price(run.price_per_hour)}"
        devices = units.count(run.devices, "device")
        yield f"Paid: {devices} from the start of the run to its end, {price} an hour each."
    if without := wording.unpriced(report.runs, report.all_runs, report.currency):
        yield f"The money of all runs is {without}."
    if len(report.runs) > 1:
        yield "Saved by reuse is reported for the last run only."
    yield _weights(costs)
    if listed := wording.listed(costs.listed, report.currency):
        yield f"Listed price: {listed}."


def _weights(costs: Costs) -> str:
    if not costs.weights_measured or costs.prompt_weight <= 0:
        return "The engine reported too little to weigh its tokens: each counts the same."
    ratio = costs.output_weight / costs.prompt_weight
    return (
        "Measured on the engine's own steps: an output token takes the device "
        f"{units.seconds(costs.output_weight)}, a computed prompt token "
        f"{units.seconds(costs.prompt_weight)} ({units.significant(ratio, 3)} : 1)."
    )


def phases(report: Report) -> Table:
    """The time of the last run by phase, and the money with it."""
    costs = report.costs
    every = zip(costs.phases, rounding.round_phases(costs), strict=True)
    shown = [(phase, cost) for phase, cost in every if phase.seconds > 0 or cost]
    whole = sum(phase.seconds for phase, _ in shown if not phase.parallel)

    def line(name: str, seconds: float, cost: str, kind: str = "", key: str = "") -> TableLine:
        return TableLine(
            [name, units.seconds(seconds), units.share(seconds / whole), cost], kind, key
        )

    lines = []
    if whole:
        serial = [(phase, _exact(cost)) for phase, cost in shown if not phase.parallel]
        beside = [(phase, _exact(cost)) for phase, cost in shown if phase.parallel]
        lines = [line(phase.name, phase.seconds, cost, key=phase.name) for phase, cost in serial]
        lines.append(line("last run", whole, _money(costs.physical), "sum"))
        lines += [
            line(f"{phase.name} (beside the others)", phase.seconds, cost, "sub")
            for phase, cost in beside
        ]
    return Table(
        key="time",
        title="Where the time went",
        header=["phase", "time", "share", f"cost, {report.currency}"],
        lines=lines,
        notes=[
            "Phases follow each other and add up to all seconds. Checkpoints are written while the "
            "engine works, so they are not in the sum."
        ],
    )


def attribution(report: Report, most: int, longest: int = 0) -> Table:
    """The largest shares of the cost, the others together, and the sum; each value of a row is cut
    after `longest` characters (0: never)."""
    divided = report.attribution
    if divided is None:
        return Table("attribution", "Who pays", [])
    lines = _Shares(divided)
    shown = [lines.one(at, longest) for at in range(min(most, len(divided.shares)))]
    if len(divided.shares) > most:
        others = units.count(len(divided.shares) - most, "other")
        name = f"({others}, in the JSON report)"
        shown.append(lines.several(name, range(most, len(divided.shares)), "aside"))
    shown.append(lines.several("all", range(len(divided.shares)), "sum"))
    notes = []
    if divided.total is None:
        notes = [f"By device time, without money: {wording.no_money(report.runs)}."]
    elif without := wording.unpriced(report.runs, report.all_runs, report.currency):
        notes = [f"The money is {without}; the device time is that of all runs."]
    return Table(
        key="attribution",
        title=f"Who pays, by {', '.join(divided.by)}",
        header=[" / ".join(divided.by), *lines.header(report.currency)],
        lines=shown,
        notes=notes,
    )


def further_shares(report: Report, first: int, most: int) -> Table | None:
    """At most `most` shares from the place `first` on, if there are so many."""
    divided = report.attribution
    if divided is None or len(divided.shares) <= first:
        return None
    lines = _Shares(divided)
    shown = [lines.one(at) for at in range(first, min(first + most, len(divided.shares)))]
    return replace(attribution(report, 0), lines=shown)


class _Shares:
    """The lines of shares, whose whole numbers of tokens add up."""

    def __init__(self, attribution: Attribution) -> None:
        self._attribution = attribution
        self._prompts = rounding.round_counts(
            [each.computed_prompt_tokens for each in attribution.shares]
        )
        self._outputs = rounding.round_counts([each.output_tokens for each in attribution.shares])
        self._pending = any(share.pending_rows for share in attribution.shares)

    def header(self, currency: str) -> list[str]:
        rows = ["rows of the input", *(["rows pending"] if self._pending else [])]
        tokens = ["computed prompt tokens", "output tokens"]
        return [*rows, *tokens, "device time", f"cost, {currency}", "share"]

    def one(self, place: int, longest: int = 0) -> TableLine:
        share = self._attribution.shares[place]
        name = wording.group(share.values, share.note, longest)
        return self.several(name, [place], "" if share.note is None else "aside")

    def several(self, name: str, places: Sequence[int], kind: str) -> TableLine:
        of: list[Share] = [self._attribution.shares[at] for at in places]
        rows = [sum(share.rows for share in of)]
        pending = [sum(share.pending_rows for share in of)] if self._pending else []
        tokens = [sum(each[at] for at in places) for each in (self._prompts, self._outputs)]
        total = self._attribution.total
        cost = None if total is None else sum(share.cost or 0.0 for share in of)
        cells = [
            *map(units.number, [*rows, *pending, *tokens]),
            units.seconds(sum(share.device_seconds for share in of)),
            _money(cost, total),
            units.share(sum(share.share for share in of)),
        ]
        return TableLine([name, *cells], kind)
