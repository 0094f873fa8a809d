"""The few kinds of charts that a report has: one bar of parts, bars side by side, columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from llmbatch.accounting.distributions import Histogram
from llmbatch.core import units
from llmbatch.reports.html import svg
from llmbatch.reports.html.svg import SMALL, paint

# Of a letter of the labels, in CSS pixels: about the mean of the fonts that pages are shown in.
_LETTER = 6.6
_BAR = 24.0


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a whole: its amount, the variable of its colour, whether it is hatched."""

    name: str
    amount: float
    colour: str
    hatched: bool = False


def stacked(name: str, title: str, parts: Sequence[BarPart], axis: str) -> str:
    """One bar of all parts in their order; those that are wide enough carry their name and share.

    `axis` names the amounts and their unit.
    """
    whole = sum(part.amount for part in parts)

    def put(figure: Any) -> None:
        axes = figure.add_subplot()
        left = 0.0
        for part in parts:
            _segment(axes, part, left, whole, svg.width(figure) - 20)
            left += part.amount
        axes.set_xlim(0, whole)
        axes.set_ylim(-0.5, 0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)

    description = "; ".join(f"{part.name} {units.share(part.amount / whole)}" for part in parts)
    return svg.draw_twice(name, title, description, 104.0, put)


def _segment(axes: Any, part: BarPart, left: float, whole: float, width: float) -> None:
    axes.barh(
        0,
        part.amount,
        left=left,
        height=0.96,
        color=paint(part.colour),
        hatch="///" if part.hatched else None,
        edgecolor=paint("surface"),
        linewidth=1.2,
    )
    room = part.amount / whole * width
    middle = left + part.amount / 2
    share = units.share(part.amount / whole)
    style = {"ha": "center", "va": "center", "color": paint("surface"), "clip_on": True}
    if part.hatched:
        # Stripes would run through the letters.
        style["bbox"] = {"facecolor": paint(part.colour), "edgecolor": "none", "pad": 2}
    if room > _LETTER * len(part.name) + 10:
        axes.text(middle, 0.16, part.name, fontweight="bold", **style)
        axes.text(middle, -0.2, share, **style)
    elif room > _LETTER * len(share) + 8:
        axes.text(middle, 0, share, **style)


def time_scale(seconds: float) -> tuple[float, str]:
    """The unit of a time axis of this length: its seconds and its name."""
    if seconds < 300:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 3 * 3600 else (3600.0, "hours")


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar with its name before it and its value behind it, or `short` (if it is given) where
    there is no room for that."""

    name: str
    amount: float
    value: str
    short: str = ""


def bars(name: str, title: str, given: Sequence[ChartBar], axis: str, colour: str) -> str:
    """Bars below each other, in their order; `axis` names the amounts and their unit."""
    description = "; ".join(f"{svg.label(bar.name)} {bar.value}" for bar in given)

    def put(figure: Any) -> None:
        _bars(figure, given, axis, colour)

    return svg.draw_twice(name, title, description, 46 + _BAR * len(given), put)


def _bars(figure: Any, given: Sequence[ChartBar], axis: str, colour: str) -> None:
    narrow = svg.is_narrow(figure)
    names = [svg.label(bar.name, 16 if narrow else 34) for bar in given]
    values = [(narrow and bar.short) or bar.value for bar in given]
    most = max(bar.amount for bar in given) or 1.0
    axes = figure.add_subplot()
    places = range(len(given))
    axes.barh(places, [bar.amount for bar in given], height=0.68, color=paint(colour))
    axes.set_yticks(places, names)
    for place, bar, value in zip(places, given, values, strict=True):
        axes.text(bar.amount + most * 0.01, place, value, va="center")
    axes.set_ylim(len(given) - 0.5, -0.5)
    room = _LETTER * max(map(len, values))
    left = max(80.0, svg.width(figure) - _LETTER * max(map(len, names)) - 20)
    axes.set_xlim(0, most / max(0.3, 0.97 - room / left))
    axes.set_xlabel(axis)
    axes.locator_params(axis="x", nbins=3 if narrow else 6)
    svg.grid(axes, "x")
    axes.spines["left"].set_visible(False)


def histogram(name: str, title: str, shown: Histogram, axis: str, counted: str) -> str:
    """Columns between the edges, on a logarithmic scale where the edges grow, with lines at the
    median and at the 99th percentile; `counted` says what the columns count."""
    growing = shown.unit == "seconds" or _grows(shown.edges)
    edges = _drawn_edges(shown, growing=growing)
    widths = [high - low for low, high in pairwise(edges)]

    def put(figure: Any) -> None:
        axes = figure.add_subplot()
        if growing:
            _logarithmic(axes, edges, _unit(shown.unit))
        line = {"linewidth": 0.7, "edgecolor": paint("surface")}
        axes.bar(edges[:-1], shown.counts, widths, align="edge", color=paint("series-1"), **line)
        axes.set_ylim(0, max(shown.counts) * 1.16)
        axes.set_xlabel(axis)
        axes.set_ylabel(counted)
        _thousands(axes.yaxis)
        if not growing:
            _thousands(axes.xaxis)
        _limits(axes, edges)
        svg.grid(axes)
        _quantiles(axes, shown, edges)

    return svg.draw(name, title, spread(shown), SMALL, put)


def spread(shown: Histogram) -> str:
    """The quantiles of a histogram in words."""
    say = _unit(shown.unit)
    unit = f" {shown.unit}" if shown.unit == "tokens" else ""
    return (
        f"mean {say(shown.mean)}, median {say(shown.p50)}, 90 % up to {say(shown.p90)}, "
        f"99 % up to {say(shown.p99)}, at most {say(shown.largest)}{unit}"
    )


def _unit(unit: str) -> Callable[[float], str]:
    return units.seconds if unit == "seconds" else units.number


def _drawn_edges(shown: Histogram, *, growing: bool) -> list[float]:
    edges = list(shown.edges)
    if growing and edges[0] <= 0:
        edges[0] = edges[1] / 2
    if not growing and shown.unit == "tokens" and edges[1] - edges[0] == 1:
        # A column for each length stands over it.
        return [edge - 0.5 for edge in edges]
    return edges


def _limits(axes: Any, edges: Sequence[float]) -> None:
    """The axis ends with the data, but one column is not the whole figure."""
    width = edges[-1] - edges[0]
    if len(edges) == 2 and width == 1:
        axes.set_xlim(edges[0] - 2.5, edges[-1] + 2.5)
        axes.set_xticks([edges[0] + 0.5])
    else:
        axes.set_xlim(edges[0], edges[-1])


def _grows(edges: Sequence[float]) -> bool:
    return len(edges) > 3 and edges[-1] - edges[-2] > 1.5 * (edges[2] - edges[1])


def _logarithmic(axes: Any, edges: Sequence[float], say: Callable[[float], str]) -> None:
    """Ticks at round values: of each power of ten 1, 2 and 5; only 1 where that is enough, all
    digits where it is not."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log")
    powers = [10.0**power for power in range(-4, 10)]
    choices = ((1,), (1, 2, 5), range(1, 10), [step / 10 for step in range(10, 100)])
    for steps in choices:
        every = [power * step for power in powers for step in steps]
        ticks = [tick for tick in every if edges[0] <= tick <= edges[-1]]
        if len(ticks) >= 3:
            break
    ticks = ticks[:: len(ticks) // 7 + 1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [say(tick).replace(".0 s", " s") for tick in ticks])


def _quantiles(axes: Any, shown: Histogram, edges: Sequence[float]) -> None:
    median, far = (min(max(value, edges[0]), edges[-1]) for value in (shown.p50, shown.p99))
    across = axes.get_xaxis_transform()
    style = {"color": paint("ink"), "linewidth": 1.1}
    axes.axvline(median, linestyle="-", ymax=0.92, **style)
    axes.text(median, 0.94, "median", transform=across, ha=_side(axes, median), va="bottom")
    if _apart(axes, median, far) > 0.34:
        axes.axvline(far, linestyle="--", ymax=0.92, **style)
        axes.text(far, 0.94, "99 %", transform=across, ha=_side(axes, far), va="bottom")


def _place(axes: Any, value: float) -> float:
    """The place of a value between the left end (0) and the right end (1)."""
    found: float = axes.transAxes.inverted().transform(axes.transData.transform((value, 0)))[0]
    return found


def _apart(axes: Any, first: float, second: float) -> float:
    return abs(_place(axes, first) - _place(axes, second))


def _side(axes: Any, value: float) -> str:
    place = _place(axes, value)
    return "left" if place < 0.12 else "right" if place > 0.88 else "center"


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def few_ticks(count: int = 5) -> Any:
    """A locator of about so many round ticks; whole ones if they are more than the usual."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=count, integer=count > 5)
