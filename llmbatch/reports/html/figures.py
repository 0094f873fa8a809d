"""The figures of a report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmbatch.accounting.attribution import Share
from llmbatch.accounting.distributions import Histogram
from llmbatch.core import units
from llmbatch.reports import wording
from llmbatch.reports.html import charts
from llmbatch.reports.html.charts import BarPart, ChartBar
from llmbatch.reports.report import Report
from llmbatch.reports.table import Table, TableLine

_MOST_SHARES = 12

_CAUSES = ("series-2", "series-5", "series-4", "series-3", "series-8", "series-6", "series-7")
# The variable of the colour by what a part of a figure, and a line of a table, is about.
_COLOURS = {
    "reading and planning": "series-5",
    "engine start": "series-2",
    "prefill": "series-3",
    "decode": "series-1",
    "idle": "series-7",
    "engine stop": "series-4",
    "export": "series-8",
    "other": "muted",
    "roofline": "series-1",
} | {f"cause {place}": colour for place, colour in enumerate(_CAUSES)}


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing (an `<svg>` element), or why there is none; a caption; its data."""

    name: str
    title: str
    svg: str | None
    caption: str = ""
    missing: str = ""
    data: Table | None = None


def data_table(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table | None:
    """The data of a figure; None without rows."""
    lines = [TableLine(row) for row in rows]
    return Table(name, "Data", header, lines) if lines else None


def phases(report: Report) -> Figure:
    """The time of the last run by phase."""
    name, title = "phases", "The last run by phase"
    shown = [phase for phase in report.costs.phases if phase.seconds > 0 and not phase.parallel]
    if not shown:
        return Figure(name, title, None, missing="the run took no time that was measured")
    scale, unit = charts.time_scale(sum(phase.seconds for phase in shown))
    parts = [
        BarPart(phase.name, phase.seconds / scale, colour_of(phase.name), phase.name == "idle")
        for phase in shown
    ]
    return Figure(name, title, charts.stacked(name, title, parts, f"{unit} of the last run"))


def colour_of(key: str) -> str:
    """The variable of the colour of a phase, of the roofline or of a cause by its place."""
    return _COLOURS.get(key, "muted")


def limit(report: Report) -> Figure:
    """The generation against what the device could do, and what it lost."""
    name, title = "limit", "Generation by cause"
    reached = report.limit
    if reached is None or reached.seconds <= 0:
        missing = "nothing to compare with: no GPU, or the device or the model's shape is not known"
        return Figure(name, title, None, missing=missing)
    scale, unit = charts.time_scale(reached.seconds)
    parts = [BarPart("roofline", reached.roofline_seconds / scale, colour_of("roofline"))]
    parts += [
        BarPart(
            cause.name,
            cause.seconds / scale,
            colour_of(f"cause {place}"),
            cause.name.startswith("idle"),
        )
        for place, cause in enumerate(reached.causes)
        if cause.seconds > 0
    ]
    shown = [part for part in parts if part.amount > 0]
    svg = charts.stacked(name, title, shown, f"{unit} of generation")
    return Figure(name, title, svg)


def attribution(report: Report) -> Figure:
    """The cost by the values of columns."""
    name, title = "attribution", "Cost by what the rows say"
    divided = report.attribution
    if divided is None or not divided.shares:
        missing = "no columns were named: attribute_by in [cost], or --attribute-by"
        return Figure(name, title, None, missing=missing)
    title = f"Cost by {', '.join(divided.by)}"
    shown = divided.shares[:_MOST_SHARES]
    bars = [
        ChartBar(_short(share), _amount(share), _value(report, share), units.share(share.share))
        for share in shown
    ]
    unit = "seconds of the device" if divided.total is None else f"cost, {report.currency}"
    more = len(divided.shares) - len(shown)
    caption = f"The largest {len(shown)} of {len(divided.shares):,}." if more > 0 else ""
    svg = charts.bars(name, title, bars, unit, "series-1")
    return Figure(name, title, svg, caption)


def _short(share: Share) -> str:
    """Its name with every value cut where it is long, so that the others can be told apart."""
    return wording.group(share.values, share.note, max(6, 30 // max(1, len(share.values))))


def _amount(share: Share) -> float:
    return share.device_seconds if share.cost is None else share.cost


def _value(report: Report, share: Share) -> str:
    if share.cost is None or report.attribution is None:
        return f"{units.seconds(share.device_seconds)} ({units.share(share.share)})"
    amount = units.money(share.cost, report.currency, report.attribution.total)
    return f"{amount} ({units.share(share.share)})"


def failures(report: Report) -> Figure:
    """Failed rows by kind."""
    name, title = "failures", "Failed rows by kind"
    if not report.failures:
        return Figure(name, title, None, missing="no row failed")
    bars = [ChartBar(line.kind, line.rows, units.number(line.rows)) for line in report.failures]
    return Figure(name, title, charts.bars(name, title, bars, "rows", "series-6"))


def spreads(report: Report) -> list[Figure]:
    """The lengths of prompts, of answers and of waits."""
    details = report.details
    return [
        _spread("prompts", "Prompt lengths", details.prompt_tokens, "tokens", "answers"),
        _spread("outputs", "Output lengths", details.output_tokens, "tokens", "answers"),
        _spread("latency", "Time in flight", details.latency, "time", "requests"),
    ]


def _spread(name: str, title: str, histogram: Histogram | None, axis: str, counted: str) -> Figure:
    if histogram is None:
        return Figure(name, title, None, missing=f"no {counted} yet, or not measured")
    say = units.seconds if histogram.unit == "seconds" else units.number
    rows = [
        (f"{say(low)} to {say(high)}", f"{count:,}")
        for (low, high), count in zip(pairwise(histogram.edges), histogram.counts, strict=True)
        if count
    ]
    svg = charts.histogram(name, title, histogram, axis, counted)
    caption = charts.spread(histogram).capitalize() + "."
    return Figure(
        name, title, svg, caption, data=data_table(name, ("from, to below", counted), rows)
    )
