"""Answers against gold as one HTML file that needs nothing else."""

from collections.abc import Iterator

from llmbatch.reports import evaluation_words as words
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.reports.html import job
from llmbatch.reports.html.confusion import confusion
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.html.reliability import plot
from llmbatch.reports.html.summary import Tile

_MOST = 200
_TILES = 4


def render(report: EvaluationReport) -> str:
    """The page: the outcome, then a section for each table, with its figure if it has one."""
    found = report.evaluation
    figures: dict[str, Figure | None] = {"confusion": confusion(found.confusion)}
    if (given := found.reliability) is not None:
        figures["calibration"] = plot(given.bins, given.accuracy, given.confidence, given.error)
    return job.page(
        "evaluation.html.jinja",
        report=report,
        title=words.heading(report),
        tiles=list(_tiles(report)),
        first=list(words.lines(report)),
        tables=words.tables(report, _MOST),
        figures=figures,
    )


def _tiles(report: EvaluationReport) -> Iterator[Tile]:
    for figure in report.evaluation.figures[:_TILES]:
        low, high = figure.low, figure.high
        more = [] if low is None or high is None else [words.bounds(figure).partition("(")[2][:-1]]
        yield Tile(figure.name.replace("_", " "), words.amount(figure), more)
