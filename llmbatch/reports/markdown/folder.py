"""All jobs of a folder as GitHub-flavoured Markdown."""

from collections.abc import Iterator

from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.markdown.markup import escaped, table

_LONGEST = 400


def render(report: FolderReport) -> str:
    """The sums as a list, then a table with a line for each job."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: FolderReport) -> Iterator[str]:
    yield f"## {escaped(words.heading(report))}"
    told = [*words.totals(report), *words.remarks(report)]
    if told:
        yield ""
        yield from (f"- {escaped(line)}" for line in told)
    if report.jobs:
        yield ""
        rows = ([escaped(cell, _LONGEST) for cell in words.cells(line)] for line in report.jobs)
        last = len(words.HEADER)
        yield from table(words.HEADER, rows, texts=range(last - 3, last))
