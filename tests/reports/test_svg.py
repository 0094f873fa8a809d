"""Figures that live in a page: their colours, their ids, and what they may not depend on."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from llmbatch.accounting.distributions import Histogram
from llmbatch.reports.html import charts
from llmbatch.reports.html import svg as html_svg
from llmbatch.reports.html.charts import BarPart, ChartBar

HOSTILE = "<script>alert('x')</script> $\\frac{1}{2}$ & \"#010210\" font-family: x"
PARTS = [BarPart("decode", 3.0, "series-1"), BarPart("idle", 1.0, "series-7", hatched=True)]
PROGRAM = """
from llmbatch.reports.html import charts
print(charts.stacked("a", "T", [charts.BarPart("x", 1.0, "series-1")], "seconds"), end="")
"""


def elements(svg: str) -> list[ElementTree.Element]:
    """All elements of the drawings in some markup, which must be well-formed."""
    return list(ElementTree.fromstring(f"<div>{svg}</div>").iter())


def test_colours_are_those_of_the_page() -> None:
    svg = charts.stacked("a", "Parts", PARTS, "seconds")
    assert "var(--series-1)" in svg
    assert "var(--surface)" in svg
    assert re.findall(r"#[0-9a-fA-F]{6}", svg) == []
    # A variable is only known to style, not to attributes.
    for element in elements(svg):
        assert not any("var(" in value for name, value in element.items() if name != "style")


def test_the_same_values_make_the_same_bytes_and_other_figures_have_other_ids() -> None:
    first = charts.stacked("a", "Parts", PARTS, "seconds")
    assert first == charts.stacked("a", "Parts", PARTS, "seconds")
    both = first + charts.stacked("b", "Parts", PARTS, "seconds")
    ids = [str(element.get("id")) for element in elements(both) if element.get("id")]
    assert len(ids) == len(set(ids))
    # Hashes of places that are computed would differ from drawing to drawing.
    assert [
        one for one in ids if not re.fullmatch(r"[ab](-narrow)?-(\d+|title|description)", one)
    ] == []
    assert set(re.findall(r"url\(#([^)]+)\)", both)) <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', both)) <= set(ids)


def test_a_figure_has_a_name_and_says_what_it_shows() -> None:
    svg = charts.stacked("a", "Parts of it", PARTS, "seconds")
    for found in (element for element in elements(svg) if element.tag == "svg"):
        assert found.get("role") == "img"
        by = {element.get("id"): element.text for element in found.iter()}
        named = [by[name] for name in (found.get("aria-labelledby") or "").split()]
        assert named == ["Parts of it", "decode 75 %; idle 25 %"]


def test_labels_are_data_and_not_markup() -> None:
    bars = [ChartBar(HOSTILE, 2.0, HOSTILE, HOSTILE), ChartBar("\0a\nb\u202e", 1.0, "1", "1")]
    svg = charts.bars("a", HOSTILE, bars, "rows", "series-6")
    texts = [element.text for element in elements(svg) if element.tag == "text"]
    assert HOSTILE in texts
    assert html_svg.label(HOSTILE, 34) in texts
    assert "a b" in texts
    assert "<script" not in svg


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a  b\tc\n", "a b c"), ("x" * 50, "x" * 9 + "…"), ("naïve 日本", "naïve 日本"), ("\0", "")],
)
def test_a_label_is_one_short_line(text: str, shown: str) -> None:
    assert html_svg.label(text, 10) == shown


def test_nothing_depends_on_how_the_user_has_set_up_matplotlib(tmp_path: Path) -> None:
    """No home, a cache that cannot be written, settings that would change the drawing."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nnonsense: 1\n")
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    environment |= {
        "MPLCONFIGDIR": "/proc/nowhere",
        "PYTHONPATH": str(Path(html_svg.__file__).parents[3]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout == charts.stacked("a", "T", [BarPart("x", 1.0, "series-1")], "seconds")


def histogram(unit: str, edges: list[float], counts: list[int]) -> str:
    held = Histogram(unit, edges, counts, 1.0, edges[0], edges[1], edges[-1], edges[-1])
    return charts.histogram("a", "Lengths", held, "tokens", "answers")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in elements(svg) if element.tag == "text"]


def test_growing_bins_have_round_ticks_on_a_logarithmic_scale() -> None:
    growing = histogram("seconds", [10 ** (n / 10) for n in range(-30, 11)], [1] * 40)
    assert {"1 ms", "10 ms", "100 ms", "1 s", "10 s"} <= set(texts(growing))
    assert {"0", "20"} <= set(texts(histogram("tokens", [0.0, 10.0, 20.0], [1, 3])))


def test_a_column_of_one_length_stands_over_it() -> None:
    found: list[Any] = elements(histogram("tokens", [7.0, 8.0], [5]))
    (place,) = (float(each.get("x")) for each in found if each.tag == "text" and each.text == "7")
    columns = [each.get("d") for each in found if "var(--series-1)" in (each.get("style") or "")]
    left, right = (float(x) for x in re.findall(r"[ML] ([\d.]+)", columns[0])[:2])
    assert (left + right) / 2 == pytest.approx(place, abs=0.5)


def test_all_lengths_zero() -> None:
    assert "answers" in texts(histogram("tokens", [0.0, 1.0], [5]))
