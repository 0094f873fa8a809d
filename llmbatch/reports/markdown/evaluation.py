"""Answers against gold as GitHub-flavoured Markdown, for the summary of a CI job."""

from collections.abc import Iterator

from llmbatch.reports import evaluation_words as words
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.reports.markdown.markup import escaped, table

_MOST = 20


def render(report: EvaluationReport) -> str:
    """The outcome as a list, then tables."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: EvaluationReport) -> Iterator[str]:
    yield f"## {escaped(words.heading(report))}"
    yield ""
    yield from (f"- {escaped(line)}" for line in words.lines(report))
    for each in words.tables(report, _MOST):
        yield from ("", f"### {escaped(each.title)}", "", *table(each))
        for note in each.notes:
            yield from ("", escaped(note))
