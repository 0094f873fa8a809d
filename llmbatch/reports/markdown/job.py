"""The report as GitHub-flavoured Markdown, for the summary of a CI job."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.reports import first_lines, tables, wording
from llmbatch.reports.markdown.markup import escaped, table
from llmbatch.reports.report import Report

_MOST = 20
_LONGEST = 160


def render(report: Report) -> str:
    """A heading with the outcome, then tables: a screen or two."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    answered = f"{report.counts.answered:,} of {units.count(report.rows_in, 'row')} answered"
    rows, *rest = tables.build(report, _MOST, _LONGEST)
    yield from (f"## {answered}", "")
    yield (
        f"From {escaped(report.input)} to **{escaped(report.output)}**, model "
        f"{escaped(report.model)}. Last run: {escaped(wording.ended(report.runs[-1]), _LONGEST)}."
    )
    yield ""
    for line in first_lines.build(report):
        yield f"- **{line.label}:** {'; '.join(map(escaped, line.texts))}"
    yield from ("", *table(rows))
    for each in rest:
        if each.lines or each.notes:
            yield from ("", f"### {escaped(each.title)}")
        if each.lines:
            yield from ("", *table(each))
        for note in each.notes:
            yield from ("", escaped(note))
