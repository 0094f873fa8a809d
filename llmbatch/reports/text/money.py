"""The lines of the text report that tell of money, and of what the device gave for it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmbatch.accounting.attribution import Attribution, Share
from llmbatch.accounting.costs import Costs, Prices
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.usage import RunResources, RunUsage, TotalUsage
from llmbatch.core import money, units
from llmbatch.reports import rounding, wording
from llmbatch.reports.report import Report

_LABEL = 12
_SHOWN_SHARES = 10
_SHOWN_CAUSES = 3
_LONGEST_VALUE = 60
_SMALL = 0.01  # of the cost
_JOULES = 3_600_000  # in a kilowatt-hour


def line(label: str, text: str) -> str:
    """A line under its label; one without a label goes on with that of the line before."""
    return f"  {label:<{_LABEL}}{text}"


def costs(
    usage: TotalUsage, spent: Costs, runs: Sequence[RunUsage], currency: str
) -> Iterator[str]:
    """What the runs cost, part by part; one line where there is no price."""
    hours = f"{usage.device_hours:.4f} device-hours"
    if spent.physical is None:
        why, _, way = wording.no_money(runs).partition("; ")
        yield line("cost", f"{hours}; {why}")
        if way:
            yield line("", way)
        return
    yield line("cost", _total(spent, hours, currency))
    if spent.physical > 0:
        yield line("", f"of which {_phases(spent)}")
        if spent.per_million.total is not None:
            yield line("", f"per million tokens: {_prices(spent.per_million)}")
    # A run that computed nothing may be free because of what was saved.
    yield from _saved(spent, currency)
    yield from _listed(spent, currency)


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
    """The parts, which add up to the total as it is told; small ones together, as the last."""
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
    told = ", ".join(f"{name} {part:,f}" for name, part in costs.items())
    wasted = f"; in failed attempts {_amount(spent.wasted)}" if spent.wasted else ""
    return told + wasted


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
        f"{name} {_amount(price)}" for name, price in names.items() if price is not None
    )


def _amount(amount: float) -> str:
    """Money without its currency, which stands before it in the same place."""
    return f"{money.rounded(amount):,f}"


def _saved(spent: Costs, currency: str) -> Iterator[str]:
    if spent.virtual is None or not any(saving.cost for saving in spent.savings):
        return
    told = rounding.round_savings(spent)
    parts = ", ".join(
        f"{currency} {part:,f} by {saving.by}"
        for saving, part in zip(spent.savings, told.savings, strict=True)
        if saving.cost
    )
    yield line("saved", f"{parts}; without that {currency} {told.without:,f}")


def _listed(spent: Costs, currency: str) -> Iterator[str]:
    listed = spent.listed
    if listed is None or not listed.is_told:
        return
    price = "/".join(
        units.price(part)
        for part in (listed.input, listed.output, listed.cached)
        if part is not None
    )
    whose = f"{listed.name}, " if listed.name else ""
    times = "" if listed.ratio is None else f": {wording.compared(listed.ratio)}"
    paid = units.money(listed.cost, currency)
    yield line("listed", f"{paid} for the same tokens at {whose}{price} a million{times}")


def device(report: Report) -> Iterator[str]:
    """What the device gave, of the last run."""
    if report.limit is not None:
        yield line("limit", _limit(report.limit))
        for cause in report.limit.causes[:1]:
            yield line("", f"advice: {cause.advice}")
    if report.resources is not None:
        yield line("used", _resources(report.resources))


def _limit(limit: DeviceShare) -> str:
    causes = ", ".join(
        f"{cause.name} {units.share(cause.share)}" for cause in limit.causes[:_SHOWN_CAUSES]
    )
    held = f"; held back by: {causes}" if causes else ""
    return f"{units.share(limit.share)} of what {limit.device} could do (roofline){held}"


def _resources(used: RunResources) -> str:
    parts = [
        f"{used.cpu_seconds:,.1f} s of CPU",
        f"{units.size(used.peak_memory_bytes)} of memory at most",
    ]
    if used.gpu_utilization is not None:
        parts.append(f"GPU busy {units.share(used.gpu_utilization)} of the time")
    if used.gpu_memory_bytes is not None:
        parts.append(f"{units.size(used.gpu_memory_bytes)} of GPU memory")
    if used.energy_joules is not None:
        parts.append(f"{units.significant(used.energy_joules / _JOULES, 4)} kWh")
    return ", ".join(parts)


def attribution(found: Attribution, runs: Sequence[RunUsage], currency: str) -> Iterator[str]:
    """Who pays: the largest shares, one by one, and the others together. `runs`: all runs."""
    if found.total is None:
        total = f"{units.seconds(found.device_seconds)} of devices"
    else:
        total = units.money(found.total, currency)
    yield f"cost by {', '.join(found.by)} (all runs): {total}"
    if found.total is None:
        yield f"  no money: {wording.no_money(runs).partition('; ')[0]}"
    for share in found.shares[:_SHOWN_SHARES]:
        yield _share([share], found, currency, f"{_name(share)}{_rows(share)}")
    rest = found.shares[_SHOWN_SHARES:]
    if rest:
        yield _share(rest, found, currency, f"{len(rest):,} more, see --format json")


def _rows(share: Share) -> str:
    rows = f", {units.count(share.rows, 'row')}" if share.rows else ""
    return f"{rows}, {share.pending_rows:,} pending" if share.pending_rows else rows


def _share(shares: Sequence[Share], found: Attribution, currency: str, name: str) -> str:
    """A line of some shares together."""
    if found.total is None:
        paid = f"{sum(share.device_seconds for share in shares):,.3f} s"
    else:
        paid = units.money(sum(share.cost or 0.0 for share in shares), currency, found.total)
    return f"  {paid:>16}  {units.share(sum(share.share for share in shares)):>7}  {name}"


def _name(share: Share) -> str:
    return wording.group(share.values, share.note, _LONGEST_VALUE)
