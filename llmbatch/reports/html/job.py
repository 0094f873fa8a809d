"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from llmbatch.core import units, visible
from llmbatch.reports import (
    answer_words,
    engine_settings,
    first_lines,
    money_tables,
    tables,
    wording,
)
from llmbatch.reports.html import figures, figures_over_time, reliability, summary, svg
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.report import Report

_MOST = 25
_MOST_HIDDEN = 500
_LONGEST_ANSWER = 1_000

_SECTIONS = {
    "answers": "Answers",
    "calibration": "Calibration",
    "changes": "Changes",
    "cost": "Cost",
    "time": "Time",
    "limit": "Limit",
    "attribution": "Who pays",
    "course": "Over time",
    "lengths": "Lengths",
    "failures": "Failures",
    "work": "Work",
    "runs": "Runs",
    "engine": "Engine",
    "words": "Words",
}


def render(report: Report) -> str:
    """The page. All that comes from the job is data to it, never markup."""
    return page(
        "job.html.jinja",
        report=report,
        title=PurePath(report.output).name,
        sections=_sections(report),
        run=report.runs[-1],
        terms=wording.TERMS,
        states=summary.states(report),
        tiles=summary.tiles(report),
        first=first_lines.build(report),
        answer_tables=answer_words.tables(report, _LONGEST_ANSWER),
        idle=summary.idle(report),
        tables={table.key: table for table in tables.build(report, _MOST)},
        further_shares=money_tables.further_shares(report, _MOST, _MOST_HIDDEN),
        figures=_figures(report),
        settings=[
            *wording.resources(report.resources).items(),
            *engine_settings.settings(report.engine or {}),
        ],
    )


def _sections(report: Report) -> dict[str, str]:
    """The titles of the sections by their anchors, those that there are."""
    there = {"calibration": report.calibration, "changes": report.changes}
    return {
        anchor: title
        for anchor, title in _SECTIONS.items()
        if anchor not in there or there[anchor] is not None
    }


def page(template: str, **values: Any) -> str:
    """A page in our look from a template beside this module, which gets `values` and `css`."""
    more = {"css": _read("page.css"), "lacking": svg.lacking()}
    text: str = _environment().get_template(template).render(**more, **values)
    return visible.text(text.strip()) + "\n"


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": units.count,
        "number": units.number,
        "seconds": units.seconds,
        "colour": figures.colour_of,
    }
    return environment


def _figures(report: Report) -> dict[str, Figure | list[Figure] | None]:
    return {
        "calibration": reliability.reliability(report),
        "phases": figures.phases(report),
        "limit": figures.limit(report),
        "attribution": figures.attribution(report),
        "throughput": figures_over_time.throughput(report),
        "chunks": figures_over_time.chunks(report),
        "spreads": figures.spreads(report),
        "failures": figures.failures(report),
        "runs": figures_over_time.runs(report),
    }
