"""All jobs of a folder as GitHub-flavoured Markdown."""

from collections.abc import Iterator

from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.markdown.markup import escaped, table


def render(report: FolderReport) -> str:
    """The sums as a list, then a table with a line for each job."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: FolderReport) -> Iterator[str]:
    yield f"## {escaped(words.heading(report))}"
    sums = [*words.totals(report), *words.remarks(report)]
    if sums:
        yield ""
        yield from (f"- {escaped(line)}" for line in sums)
    if report.jobs:
        yield ""
        yield from table(words.table(report))
