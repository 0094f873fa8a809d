"""All jobs of a folder as text, for a terminal or a mail."""

from collections.abc import Iterator

from llmbatch.core import visible
from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.text.columns import columns


def render(report: FolderReport) -> str:
    """The sums, then a line for each job, the costliest first."""
    return "".join(f"{visible.line(line)}\n" for line in _lines(report))


def _lines(report: FolderReport) -> Iterator[str]:
    yield words.heading(report)
    yield from (f"  {line}" for line in [*words.totals(report), *words.remarks(report)])
    if report.jobs:
        yield ""
        yield from columns(words.table(report))
