"""The confusion of labels, as a field of squares: the darker, the more of a label's rows."""

from typing import Any

from llmbatch.core.units import count, number
from llmbatch.quality.label_figures import Confusion
from llmbatch.reports.html import svg
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.html.svg import paint

MOST = 20
"""Labels that a figure has room for."""
_EACH, _BESIDE = 30.0, 120.0
_DARK = 0.55


def confusion(given: Confusion | None) -> Figure | None:
    """The matrix; None without one, or with more labels than can be read."""
    if given is None or len(given.answers) > MOST:
        return None
    name, title = "confusion", "Answers by right label"
    right = sum(
        row[given.answers.index(label)]
        for label, row in zip(given.gold, given.rows, strict=True)
        if label in given.answers
    )
    of = sum(map(sum, given.rows))
    description = f"{number(right)} of {count(of, 'row')} on the diagonal: right answers"
    height = _BESIDE + _EACH * len(given.gold)
    drawn = svg.draw_twice(name, title, description, height, lambda figure: _put(figure, given))
    caption = f"{description}. A square is as dark as the share of its right label's rows in it."
    return Figure(name, title, drawn, caption)


def _put(figure: Any, given: Confusion) -> None:
    from matplotlib.patches import Rectangle

    axes = figure.add_subplot()
    longest = 12 if svg.is_narrow(figure) else 24
    for at, row in enumerate(given.rows):
        whole = sum(row) or 1
        for column, rows in enumerate(row):
            part = rows / whole
            square = Rectangle((column - 0.5, at - 0.5), 1, 1, linewidth=0, alpha=part)
            square.set_facecolor(paint("series-1"))
            axes.add_patch(square)
            if rows:
                colour = paint("surface" if part > _DARK else "ink")
                axes.text(column, at, number(rows), ha="center", va="center", color=colour)
    axes.set_xlim(-0.5, len(given.answers) - 0.5)
    axes.set_ylim(len(given.gold) - 0.5, -0.5)
    names = [svg.label(name, longest) for name in given.answers]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(given.gold)), [svg.label(name, longest) for name in given.gold])
    axes.set_xlabel("answer")
    axes.set_ylabel("gold")
    axes.tick_params(length=0, pad=5)
