"""Figures as SVG that lives in a page: it takes its colours and its font from there.

Everything is drawn in stand-in colours, which then become CSS variables, so that one drawing
follows a light page, a dark one and a printed one. The same values make the same bytes.
"""

import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib.util import find_spec
from typing import Any

# Of a figure that is as wide as a page, or as the screen of a telephone, and of a small one.
WIDE, NARROW = 760.0, 340.0
SMALL = (300.0, 210.0)

# The variables of page.css, by stand-in: colours that nothing else is drawn in.
_VARIABLES = ("ink", "muted", "rule", "surface", *(f"series-{number}" for number in range(1, 9)))
_STAND_INS = {name: f"#0102{number:02x}" for number, name in enumerate(_VARIABLES, start=16)}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def paint(variable: str) -> str:
    """The colour to draw in for a variable of the page: "ink", "series-1", ..."""
    return _STAND_INS[variable]


def lacking() -> str | None:
    """The line that says why nothing can be drawn; None where it can."""
    if find_spec("matplotlib") is not None:
        return None
    return "Without figures: they need matplotlib (pip install 'llmbatch[report]')."


def draw_twice(
    name: str, title: str, description: str, height: float, put: Callable[[Any], None]
) -> str:
    """The same drawing for a wide page and for a narrow one; the page shows the one that fits.
    `put` can ask `is_narrow`."""
    if lacking():
        return ""
    wide = draw(name, title, description, (WIDE, height), put)
    narrow = draw(f"{name}-narrow", title, description, (NARROW, height), put)
    return f'<div class="on-wide">{wide}</div><div class="on-narrow">{narrow}</div>'


def width(figure: Any) -> float:
    """The width of a figure in CSS pixels."""
    return float(figure.get_figwidth()) * 72


def is_narrow(figure: Any) -> bool:
    """True if a figure is drawn for a narrow page."""
    return width(figure) < (WIDE + NARROW) / 2


def draw(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    put: Callable[[Any], None],
) -> str:
    """An `<svg>` element of `size` (in CSS pixels) in which `put` has drawn on a figure of
    matplotlib's; empty where that is lacking. `name` makes its ids differ from those of other
    figures on the page; `title` and `description` are read out instead of it."""
    if lacking():
        return ""
    with _quiet(), _style(name):
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        FigureCanvasSVG(figure)
        put(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    return _embedded(stream.getvalue(), name, title, description)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress matplotlib's warnings of a cache that it cannot write and of characters that its own
    font lacks: the page brings the font."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _style(name: str) -> Iterator[None]:
    """Our settings over matplotlib's own defaults; those of the user are left out."""
    import matplotlib

    ink, muted, rule = paint("ink"), paint("muted"), paint("rule")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": name,
                "text.parse_math": False,
                "font.family": ["DejaVu Sans"],
                "font.size": 11,
                "text.color": ink,
                "axes.labelcolor": muted,
                "axes.labelsize": 11,
                "axes.edgecolor": muted,
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "grid.color": rule,
                "grid.linewidth": 0.8,
                "xtick.color": muted,
                "ytick.color": muted,
                "xtick.labelcolor": ink,
                "ytick.labelcolor": ink,
                "hatch.color": paint("surface"),
                "hatch.linewidth": 1.0,
                "legend.frameon": False,
                "legend.fontsize": 11,
                "legend.labelcolor": ink,
                "lines.linewidth": 1.6,
            }
        )
        yield


def label(text: str, most: int = 32) -> str:
    """Any text as a label: one line of at most `most` characters that can be shown."""
    shown = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


_HEAD = re.compile(r"^.*?<svg [^>]*?viewBox=\"([^\"]+)\"[^>]*>", re.DOTALL)
# Its style sheet would be that of the whole page, and its comments hold labels.
_LEFT_OUT = re.compile(r"<style.*?</style>|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r'(?<= id=")[^"]+|(?<=url\(#)[^)]+|(?<=href="#)[^"]+')
# A variable is only known to style, not to attributes.
_FILL = re.compile(r' fill="(#[0-9a-f]{6})"')
_FRACTION = re.compile(r"(\.\d\d)\d+")
_STAND_IN = re.compile("|".join(_STAND_INS.values()))
_VARIABLE_OF = {stand_in: f"var(--{name})" for name, stand_in in _STAND_INS.items()}


def _embedded(svg: str, name: str, title: str, description: str) -> str:
    """The drawing as an element of a page: with a head, colours and ids of the page's."""
    found = _HEAD.match(svg)
    assert found is not None
    # matplotlib's ids are hashes of places, whose last digits the layout's solver leaves open.
    numbers: dict[str, int] = {}

    def number(identifier: str) -> str:
        return f"{name}-{numbers.setdefault(identifier, len(numbers))}"

    # Only in tags: labels are data.
    body = _TAG.sub(lambda tag: _adapted(tag[0], number), _LEFT_OUT.sub("", svg[found.end() :]))
    width = float(found[1].split()[2])
    return (
        f'<svg viewBox="{found[1]}" style="--width: {width:g}px" role="img" '
        f'aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(description)}</desc>{body.strip()}'
    )


def _adapted(tag: str, number: Callable[[str], str]) -> str:
    """A tag with the page's ids and colours."""
    tag = _ID.sub(lambda identifier: number(identifier[0]), tag.replace("xlink:href", "href"))
    tag = _FRACTION.sub(r"\1", _FILL.sub(r' style="fill: \1"', tag))
    return _STAND_IN.sub(lambda colour: _VARIABLE_OF[colour[0]], tag)


def grid(axes: Any, which: str = "y") -> None:
    """Faint lines behind the data, across the axis that is read off."""
    axes.grid(axis=which)
    axes.tick_params(length=0, pad=5)
