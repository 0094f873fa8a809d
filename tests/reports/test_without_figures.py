"""Without matplotlib a page has all but its figures, and says why in one line."""

import sys

import pytest

from llmbatch.reports.html import charts, svg
from llmbatch.reports.html.charts import BarPart
from llmbatch.reports.html.figures import Figure, data_table
from llmbatch.reports.html.job import page


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.usefixtures("without")
def test_nothing_is_drawn_and_the_page_says_why() -> None:
    assert "pip install 'llmbatch[report]'" in (svg.lacking() or "")
    assert charts.stacked("a", "Parts", [BarPart("x", 1.0, "series-1")], "seconds") == ""
    text = page("page.html.jinja", title="t")
    assert text.count("llmbatch[report]") == 1


def test_where_figures_can_be_drawn_there_is_no_such_line() -> None:
    assert svg.lacking() is None
    assert "llmbatch[report]" not in page("page.html.jinja", title="t")


def test_the_data_of_a_figure_stays() -> None:
    from llmbatch.reports.html.job import _environment

    macros = _environment().get_template("macros.html.jinja").module
    data = data_table("a", ("from", "rows"), [("1", "2")])
    assert "<table>" in macros.drawn(Figure("a", "T", "", data=data))
    assert macros.drawn(Figure("a", "T", "")).strip() == ""
    assert "No figure: no rows." in macros.drawn(Figure("a", "T", None, missing="no rows"))
