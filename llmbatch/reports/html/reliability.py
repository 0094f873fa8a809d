"""The reliability plot: of rows with this confidence, so many are right."""

from typing import Any

from llmbatch.reports.calibration import Calibration
from llmbatch.reports.calibration_words import percent
from llmbatch.reports.html import svg
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.html.svg import paint
from llmbatch.reports.report import Report

_HEIGHT = 340.0
_LEAST, _MOST = 20.0, 220.0
"""Areas of the points, in square points: by their rows."""


def reliability(report: Report) -> Figure | None:
    """Accuracy by confidence; None for a job without right labels."""
    given = report.calibration
    if given is None:
        return None
    name, title = "calibration", "Right answers by confidence"
    description = (
        f"{percent(given.accuracy)} right at a mean confidence of {percent(given.confidence)}; "
        f"expected calibration error {percent(given.error)}"
    )
    drawn = svg.draw_twice(name, title, description, _HEIGHT, lambda figure: _put(figure, given))
    caption = (
        f"{description}. A point below the line is a part of the rows whose confidence is too high."
    )
    return Figure(name, title, drawn, caption)


def _put(figure: Any, given: Calibration) -> None:
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=paint("rule"), linewidth=1.2, zorder=1)
    most = max(each.rows for each in given.bins)
    x = [each.confidence for each in given.bins]
    y = [each.accuracy for each in given.bins]
    sizes = [_LEAST + (_MOST - _LEAST) * each.rows / most for each in given.bins]
    axes.plot(x, y, color=paint("series-1"), linewidth=1, zorder=2)
    axes.scatter(x, y, s=sizes, color=paint("series-1"), zorder=3)
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("mean confidence")
    axes.set_ylabel("share that is right")
    svg.grid(axes)
