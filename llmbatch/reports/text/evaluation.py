"""Answers against gold as text, for a terminal or a mail."""

from collections.abc import Iterator

from llmbatch.core import visible
from llmbatch.reports import evaluation_words as words
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.reports.text.columns import columns

_MOST = 20


def render(report: EvaluationReport) -> str:
    """The outcome in sentences, then tables."""
    return "".join(f"{visible.line(line)}\n" for line in _lines(report))


def _lines(report: EvaluationReport) -> Iterator[str]:
    yield words.heading(report)
    yield from (f"  {line}" for line in words.lines(report))
    for table in words.tables(report, _MOST):
        yield ""
        yield table.title
        yield from (f"  {line}" for line in columns(table))
        yield from (f"  {note}" for note in table.notes)
