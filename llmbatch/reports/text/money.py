"""The lines of the text report on money, and on the use of the device."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmbatch.accounting.costs import Costs, Prices
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.usage import RunUsage, TotalUsage
from llmbatch.core import units
from llmbatch.reports import rounding, wording
from llmbatch.reports.report import Report

_LABEL = 12
_SHOWN_CAUSES = 3
_SMALL = 0.01  # of the cost


def line(label: str, text: str) -> str:
    """A line under its label; one without a label goes on with that of the line before."""
    return f"  {label:<{_LABEL}}{text}"


def costs(
    usage: TotalUsage, spent: Costs, runs: Sequence[RunUsage], currency: str
) -> Iterator[str]:
    """The cost of the runs, part by part; one line where there is no price."""
    hours = f"{usage.device_hours:.4f} device-hours"
    if spent.physical is None:
        why, _, way = wording.no_money(runs).partition("; ")
        yield line("cost", f"{hours}; {why}")
        if way:
            yield line("", way)
        return
    yield line("cost", _total(spent, hours, currency))
    if without := wording.unpriced(runs, usage, currency):
        yield line("", f"money {without}")
    if spent.physical > 0:
        yield line("", f"of which {_phases(spent)}")
        if spent.per_million.total is not None:
            yield line("", f"per million tokens: {_prices(spent.per_million)}")
    # A run that computed nothing may be free because of what was saved.
    yield from _saved(spent, currency)
    if listed := wording.listed(spent.listed, currency):
        yield line("listed", listed)


def _total(spent: Costs, hours: str, currency: str) -> str:
    assert spent.physical is not None
    paid = units.money(spent.physical, currency)
    parts = [f"{paid} for the tokens ({hours})" if spent.basis == "tokens" else f"{hours} = {paid}"]
    if spent.per_1000_rows is not None:
        parts.append(f"{units.money(spent.per_1000_rows, currency)} per 1,000 rows")
    if spent.per_million.total is not None:
        parts.append(f"{units.money(spent.per_million.total, currency)} per million tokens")
    return ", ".join(parts)


def _phases(spent: Costs) -> str:
    """The parts, which add up to the total as it is shown; small ones together, as the last."""
    assert spent.physical is not None
    costs: dict[str, Decimal] = {}
    rest = Decimal()
    for phase, part in zip(spent.phases, rounding.round_phases(spent), strict=True):
        if part and phase.cost and not phase.parallel:
            if phase.cost < _SMALL * spent.physical or phase.name == "other":
                rest += part
            else:
                costs[phase.name] = part
    if rest:
        costs["other"] = rest
    parts = ", ".join(f"{name} {part:,f}" for name, part in costs.items())
    wasted = f"; in failed attempts {units.digits(spent.wasted)}" if spent.wasted else ""
    return parts + wasted


def _prices(each: Prices) -> str:
    names = {
        "input": each.input,
        "computed input": each.computed_input,
        "cached": each.cached,
        "output": each.output,
    }
    if not each.cached:
        # Without a cache all input is computed; cached tokens take no time of the device.
        del names["cached"]
        if each.computed_input == each.input:
            del names["computed input"]
    return ", ".join(
        f"{name} {units.digits(price)}" for name, price in names.items() if price is not None
    )


def _saved(spent: Costs, currency: str) -> Iterator[str]:
    if spent.virtual is None or not any(saving.cost for saving in spent.savings):
        return
    savings = rounding.round_savings(spent)
    parts = ", ".join(
        f"{currency} {part:,f} by {saving.by}"
        for saving in spent.savings
        if saving.cost and (part := savings.by[saving.by]) is not None
    )
    yield line("saved", f"{parts}; without that {currency} {savings.without:,f}")


def device(report: Report) -> Iterator[str]:
    """The share of the device's limit, and the use of the machine, of the last run."""
    if report.limit is not None:
        yield line("limit", _limit(report.limit))
        for cause in report.limit.causes[:1]:
            yield line("", f"advice: {cause.advice}")
    if used := wording.resources(report.resources):
        yield line("used", ", ".join(f"{name} {amount}" for name, amount in used.items()))


def _limit(limit: DeviceShare) -> str:
    causes = ", ".join(
        f"{cause.name} {units.share(cause.share)}" for cause in limit.causes[:_SHOWN_CAUSES]
    )
    held = f"; held back by: {causes}" if causes else ""
    return f"{units.share(limit.share)} of what {limit.device} could do (roofline){held}"
