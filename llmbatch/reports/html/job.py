"""The report as one HTML file that needs nothing else: no script, no font, no network."""

from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from llmbatch.core import units, visible
from llmbatch.reports import tables, wording
from llmbatch.reports.html import engine_settings, figures, figures_over_time, summary
from llmbatch.reports.html.figures import Figure
from llmbatch.reports.report import Report
from llmbatch.reports.tables import Table

_SECTIONS = (
    ("cost", "Cost"),
    ("time", "Time"),
    ("limit", "Limit"),
    ("payers", "Who pays"),
    ("course", "Over time"),
    ("lengths", "Lengths"),
    ("failures", "Failures"),
    ("work", "Work"),
    ("runs", "Runs"),
    ("engine", "Engine"),
)


def render(report: Report) -> str:
    """The page. All that comes from the job is data to it, never markup."""
    return page("job.html.jinja", report=report, page=_values(report), figures=_figures(report))


def page(template: str, **values: Any) -> str:
    """A page in our look from a template beside this module, which gets `values` and `css`."""
    text: str = _environment().get_template(template).render(css=style(), **values)
    return visible.text(text.strip()) + "\n"


def style() -> str:
    """The style sheet of all pages."""
    return _read("page.css")


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
        "number": units.number,
        "seconds": units.seconds,
        "as_table": _as_table,
    }
    return environment


def _as_table(figure: Figure) -> Table:
    return tables.of_rows(figure.header, figure.rows)


def _figures(report: Report) -> dict[str, Figure | list[Figure]]:
    return {
        "phases": figures.phases(report),
        "limit": figures.limit(report),
        "payers": figures.payers(report),
        "throughput": figures_over_time.throughput(report),
        "chunks": figures_over_time.chunks(report),
        "spreads": figures.spreads(report),
        "failures": figures.failures(report),
        "runs": figures_over_time.runs(report),
    }


def _values(report: Report) -> dict[str, Any]:
    largest, more = tables.shares(report)
    return {
        "title": PurePath(report.output).name,
        "sections": _SECTIONS,
        "run": report.runs[-1],
        "states": summary.states(report),
        "tiles": summary.tiles(report),
        "idle": summary.idle(report),
        "no_money": summary.no_money(report),
        "no_sum": wording.no_money(report.runs),
        "costs": tables.costs(report),
        "cost_notes": summary.cost_notes(report),
        "phases": tables.phases(report),
        "limit": tables.limit(report.limit),
        "limit_told": summary.limit_told(report),
        "limit_source": summary.limit_source(report),
        "shares": largest,
        "more_shares": more,
        "shares_left_out": tables.shares_left_out(report.attribution),
        "events": tables.events(report),
        "failures": summary.failures(report),
        "work": tables.work(report),
        "work_notes": summary.work_notes(report),
        "runs": tables.runs(report),
        "runs_left_out": tables.runs_left_out(report),
        "resources": engine_settings.resources(report),
        "settings": engine_settings.settings(report.engine or {}),
    }
