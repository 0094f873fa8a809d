"""All jobs of a folder as one HTML file that needs nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import Amount, FolderReport
from llmbatch.reports.html import charts, job
from llmbatch.reports.html.charts import ChartBar
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.html.summary import Tile

_MOST_BARS = 15
_COLOUR = "series-1"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job: its name and its state, which come first on a page, and its other cells."""

    job: str
    state: str
    cells: Sequence[str]


def render(report: FolderReport) -> str:
    """The page: the sums, the cost of each job as a bar, a table of all jobs."""
    return job.page(
        "folder.html.jinja",
        report=report,
        title=words.heading(report),
        tiles=list(_tiles(report)),
        figures=list(_figures(report)),
        remarks=words.remarks(report),
        header=["job", *words.HEADER[:-2]],
        lines=[_line(words.cells(line)) for line in report.jobs],
    )


def _line(cells: Sequence[str]) -> JobRow:
    return JobRow(job=cells[-2], state=cells[-1], cells=[*map(_unbroken, cells[:-3]), cells[-3]])


def _unbroken(cell: str) -> str:
    """A cell that may only be broken between amounts of several currencies."""
    return cell.replace(" ", "\N{NO-BREAK SPACE}").replace("\N{NO-BREAK SPACE}+", " +")


def _tiles(report: FolderReport) -> Iterator[Tile]:
    total = report.total
    for amount in total.amounts:
        rows = units.count(amount.rows, "row")
        more = f"{words.hours(amount.device_hours)} device-hours, {rows}"
        yield Tile("Cost", units.money(amount.cost, amount.currency), [more])
    if total.unpriced_runs:
        runs = units.count(total.unpriced_runs, "run")
        yield Tile("Device-hours without a price", words.hours(total.unpriced_hours), [runs])
    if total.runs:
        tokens = units.number(total.prompt_tokens + total.output_tokens)
        yield Tile("Tokens", tokens, [units.count(total.runs, "run")])


def _figures(report: FolderReport) -> Iterator[Figure]:
    for number, amount in enumerate(report.total.amounts):
        found = _bars(report, amount)
        if len(found) < 2:
            continue
        name = f"cost-{number}"
        title = f"Cost by job, {amount.currency}"
        svg = charts.bars(name, title, found[:_MOST_BARS], amount.currency, _COLOUR)
        more = len(found) - _MOST_BARS
        yield Figure(name, title, svg, f"and {more:,} cheaper jobs" if more > 0 else "")


def _bars(report: FolderReport, total: Amount) -> list[ChartBar]:
    paid = [
        ChartBar(
            line.job,
            own.cost,
            units.money(own.cost, own.currency),
            units.share(own.cost / total.cost),
        )
        for line in report.jobs
        if line.spent is not None
        for own in line.spent.amounts
        if own.currency == total.currency and own.cost > 0
    ]
    return sorted(paid, key=lambda bar: -bar.amount)
