"""The reliability plot: of rows with this confidence, so many are right."""

from collections.abc import Sequence
from typing import Any

from llmbatch.quality.reliability import CalibrationBin
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
    return plot(given.bins, given.accuracy, given.confidence, given.error)


def plot(
    bins: Sequence[CalibrationBin], accuracy: float, confidence: float, error: float
) -> Figure:
    """The parts of the confidence with rows; the share of right rows, their mean confidence and the
    expected calibration error."""
    name, title = "calibration", "Right answers by confidence"
    description = (
        f"{percent(accuracy)} right at a mean confidence of {percent(confidence)}; "
        f"expected calibration error {percent(error)}"
    )
    drawn = svg.draw_twice(name, title, description, _HEIGHT, lambda figure: _put(figure, bins))
    caption = (
        f"{description}. A point below the line is a part of the rows whose confidence is too high."
    )
    return Figure(name, title, drawn, caption)


def _put(figure: Any, bins: Sequence[CalibrationBin]) -> None:
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=paint("rule"), linewidth=1.2, zorder=1)
    most = max(each.rows for each in bins)
    x = [each.confidence for each in bins]
    y = [each.accuracy for each in bins]
    sizes = [_LEAST + (_MOST - _LEAST) * each.rows / most for each in bins]
    axes.plot(x, y, color=paint("series-1"), linewidth=1, zorder=2)
    axes.scatter(x, y, s=sizes, color=paint("series-1"), zorder=3)
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("mean confidence")
    axes.set_ylabel("share that is right")
    svg.grid(axes)
