"""Figures with a time axis: a run's throughput and its chunks; the runs of a job."""

from collections.abc import Sequence
from typing import Any

from llmbatch.accounting.timeline import ChunkLine, Mark, Point, Timeline
from llmbatch.accounting.usage import RunUsage
from llmbatch.core import units
from llmbatch.reports.html import charts
from llmbatch.reports.html import svg as html_svg
from llmbatch.reports.html.figures import Figure, data_table
from llmbatch.reports.html.svg import paint
from llmbatch.reports.report import Report

_MOST_ROWS = 24
_MOST_RUNS = 20
_MOST_NARROW = 4

# Kind of a mark: its shape, the variable of its colour, its size.
_SHAPES = {
    "checkpoint": ("|", "muted", 60),
    "engine ready": ("^", "series-3", 52),
    "engine died": ("X", "series-6", 58),
    "engine restarted": (">", "series-2", 52),
    "stopped": ("s", "series-6", 42),
    "ended": ("s", "ink", 36),
}
_CROSSING = ("engine died", "engine restarted", "stopped")


def throughput(report: Report) -> Figure:
    """Tokens and rows per second of the last run that did work, and what happened in it."""
    name, title = "throughput", "Throughput over time"
    line = report.details.timeline
    if line is None or not line.points:
        return Figure(name, title, None, missing="no run has saved a checkpoint yet")
    description = (
        f"run {line.run}, {units.seconds(line.seconds)}: mean "
        f"{units.rate(_mean(line.points, 'output_tokens'))} output tokens/s and "
        f"{units.rate(_mean(line.points, 'rows'))} rows/s between checkpoints"
    )
    svg = html_svg.draw_twice(name, title, description, 360.0, lambda figure: _put(figure, line))
    rows = [_cells(point) for point in merged_points(line.points, _MOST_ROWS)]
    header = ("until", "rows/s", "prompt tokens/s", "output tokens/s", "running", "cache use")
    caption = f"{description[0].upper()}{description[1:]}."
    return Figure(name, title, svg, caption, data=data_table(name, header, rows))


def _cells(point: Point) -> tuple[str, ...]:
    return (
        units.seconds(point.at),
        units.rate(point.rows),
        units.rate(point.prompt_tokens),
        units.rate(point.output_tokens),
        units.number(round(point.running, 1)),
        units.share(point.cache_usage),
    )


_RATES = ("rows", "prompt_tokens", "output_tokens", "cache_usage", "running")


def merged_points(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points; neighbours are joined, their rates weighted by their seconds."""
    each = -(-len(points) // most) or 1
    groups = [points[start : start + each] for start in range(0, len(points), each)]
    return [
        Point(
            group[-1].at,
            sum(point.seconds for point in group),
            **{name: _mean(group, name) for name in _RATES},
        )
        for group in groups
    ]


def _mean(points: Sequence[Point], name: str) -> float:
    seconds = sum(point.seconds for point in points)
    amount: float = sum(getattr(point, name) * point.seconds for point in points)
    return amount / seconds


def _put(figure: Any, line: Timeline) -> None:
    happened, tokens, rows = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [0.42, 3, 1.7]}
    )
    scale, unit = charts.time_scale(line.seconds)
    _rates(tokens, line.points, "output_tokens", scale, ("series-1", "-", "output tokens"))
    _rates(tokens, line.points, "prompt_tokens", scale, ("series-2", "--", "prompt tokens"))
    _rates(rows, line.points, "rows", scale, ("series-3", "-", "rows"))
    for axes, what in ((tokens, "tokens/s"), (rows, "rows/s")):
        axes.set_ylabel(what)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(_thousands())
        axes.yaxis.set_major_locator(charts.few_ticks())
        html_svg.grid(axes)
        _crossings(axes, line.marks, scale)
    _marks(happened, line.marks, scale)
    rows.set_xlim(0, line.seconds / scale or 1)
    rows.set_xlabel(f"{unit} since the run began")
    handles = [*tokens.get_legend_handles_labels()[0], *happened.get_legend_handles_labels()[0]]
    columns = 2 if html_svg.is_narrow(figure) else 4
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, handlelength=1.6)


def _rates(
    axes: Any, points: Sequence[Point], name: str, scale: float, style: tuple[str, str, str]
) -> None:
    """Steps: a rate holds for the stretch before its point; between engines there is none."""
    colour, dashes, label = style
    at: list[float] = []
    rates: list[float] = []
    for point in points:
        began, rate = point.at - point.seconds, getattr(point, name)
        if at and began > at[-1] * scale + 1e-6:
            at.append(at[-1])
            rates.append(float("nan"))
        at += [began / scale, point.at / scale]
        rates += [rate, rate]
    axes.plot(at, rates, dashes, color=paint(colour), label=label)
    if dashes == "-":
        axes.fill_between(at, rates, color=paint(colour), alpha=0.14, linewidth=0)


def _marks(axes: Any, marks: Sequence[Mark], scale: float) -> None:
    axes.set_ylim(-1, 1)
    axes.axis("off")
    for kind, (shape, colour, size) in _SHAPES.items():
        at = [mark.at / scale for mark in marks if mark.kind == kind]
        if at:
            axes.scatter(
                at,
                [0.0] * len(at),
                marker=shape,
                s=size,
                color=paint(colour),
                linewidths=0.8,
                label=kind,
                clip_on=False,
            )


def _crossings(axes: Any, marks: Sequence[Mark], scale: float) -> None:
    for mark in marks:
        if mark.kind in _CROSSING:
            colour = _SHAPES[mark.kind][1]
            axes.axvline(mark.at / scale, color=paint(colour), linewidth=0.9, linestyle=":")


def chunks(report: Report) -> Figure:
    """The chunks of the planned order over the time in which they were worked on."""
    name, title = "chunks", "Chunks over time"
    line = report.details.timeline
    if line is None or len(line.chunks) < 2:
        missing = "the run had only one chunk, or too many attempts to show each by itself"
        return Figure(name, title, None, missing=missing)
    description = (
        f"run {line.run}: {len(line.chunks)} lines, from the first to the last answer of each"
    )
    svg = html_svg.draw_twice(name, title, description, 280.0, lambda figure: _lanes(figure, line))
    rows = [_lane(chunk) for chunk in merged_chunks(line.chunks, _MOST_ROWS)]
    header = ("chunks", "first answer", "last answer", "requests", "failed")
    return Figure(name, title, svg, data=data_table(name, header, rows))


def _lane(chunk: ChunkLine) -> tuple[str, ...]:
    last = chunk.chunk + chunk.chunks - 1
    return (
        f"{chunk.chunk}" if last == chunk.chunk else f"{chunk.chunk} to {last}",
        units.seconds(chunk.first_at),
        units.seconds(chunk.last_at),
        f"{chunk.requests:,}",
        f"{chunk.failed:,}",
    )


def merged_chunks(lines: Sequence[ChunkLine], most: int) -> list[ChunkLine]:
    """At most `most` lines; neighbours are joined."""
    each = -(-len(lines) // most) or 1
    groups = [lines[start : start + each] for start in range(0, len(lines), each)]
    return [
        ChunkLine(
            chunk=group[0].chunk,
            first_at=min(line.first_at for line in group),
            last_at=max(line.last_at for line in group),
            requests=sum(line.requests for line in group),
            failed=sum(line.failed for line in group),
            chunks=group[-1].chunk + group[-1].chunks - group[0].chunk,
        )
        for group in groups
    ]


def _lanes(figure: Any, line: Timeline) -> None:
    axes = figure.add_subplot()
    scale, unit = charts.time_scale(line.seconds)
    # A chunk that was settled in one checkpoint has no width of its own.
    least = line.seconds * 0.004
    axes.barh(
        [_lane_of(chunk) for chunk in line.chunks],
        [max(least, chunk.last_at - chunk.first_at) / scale for chunk in line.chunks],
        left=[min(chunk.first_at, chunk.last_at - least) / scale for chunk in line.chunks],
        height=[0.8 * chunk.chunks for chunk in line.chunks],
        color=paint("series-1"),
        label="first to last answer",
    )
    _failed(axes, line)
    first, last = line.chunks[0], line.chunks[-1]
    axes.set_ylim(last.chunk + last.chunks - 0.5, first.chunk - 0.5)
    axes.yaxis.set_major_locator(charts.few_ticks(8))
    axes.set_xlim(0, line.seconds / scale or 1)
    axes.set_ylabel("chunk")
    axes.set_xlabel(f"{unit} since the run began")
    html_svg.grid(axes, "x")
    handles = axes.get_legend_handles_labels()[0]
    figure.legend(handles=handles[::-1], loc="outside upper left", ncols=2)


def _lane_of(chunk: ChunkLine) -> float:
    """The middle of the chunks of a line."""
    return chunk.chunk + chunk.chunks / 2 - 0.5


def _failed(axes: Any, line: Timeline) -> None:
    """A mark in the margin beside each chunk that has failed requests."""
    failed = [chunk for chunk in line.chunks if chunk.failed]
    if failed:
        axes.scatter(
            [1.012] * len(failed),
            [_lane_of(chunk) for chunk in failed],
            marker="X",
            s=max(6, 48 - len(line.chunks) / 4),
            color=paint("series-6"),
            linewidths=0,
            label="has failed requests",
            transform=axes.get_yaxis_transform(),
            zorder=3,
            clip_on=False,
        )


def runs(report: Report) -> Figure:
    """Speed and cost of the job's runs that did work."""
    name, title = "runs", "Speed and cost by run"
    worked = [run for run in report.runs if run.rows and run.seconds > 0][-_MOST_RUNS:]
    if len(worked) < 2:
        return Figure(name, title, None, missing="no earlier run of this job did work")
    priced = all(run.cost is not None and run.currency == report.currency for run in worked)
    unit = f"{report.currency} per 1,000 rows" if priced else "device seconds per 1,000 rows"
    description = "; ".join(
        f"run {run.run}: {units.rate(run.rows / run.seconds)} rows/s, "
        f"{units.significant(_spent(run, priced), 4)} {unit}"
        for run in worked
    )

    def put(figure: Any) -> None:
        speed, cost = figure.subplots(1, 2)
        shown = worked[-_MOST_NARROW:] if html_svg.is_narrow(figure) else worked
        _columns(speed, shown, [run.rows / run.seconds for run in shown], "rows/s, start to end")
        _columns(cost, shown, [_spent(run, priced) for run in shown], unit)

    return Figure(name, title, html_svg.draw_twice(name, title, description, 220.0, put))


def _spent(run: RunUsage, priced: bool) -> float:
    each = (run.cost or 0.0) if priced else run.seconds * run.devices
    return each / run.rows * 1000


def _columns(axes: Any, worked: Sequence[RunUsage], amounts: list[float], what: str) -> None:
    places = range(len(worked))
    colours = [paint("series-7")] * (len(worked) - 1) + [paint("series-1")]
    axes.bar(places, amounts, width=min(0.7, 0.12 * len(worked)), color=colours)
    axes.set_xticks(places, [str(run.run) for run in worked])
    axes.set_xlim(-0.6, len(worked) - 0.4)
    axes.set_ylim(0, max(amounts) * 1.15 or 1)
    if len(worked) <= 8:
        for place, amount in zip(places, amounts, strict=True):
            axes.annotate(
                units.significant(amount, 3),
                (place, amount),
                (0, 2),
                textcoords="offset points",
                ha="center",
            )
    axes.set_xlabel("run")
    axes.set_ylabel(what)
    axes.yaxis.set_major_locator(charts.few_ticks())
    html_svg.grid(axes)


def _thousands() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:,.4g}")
