"""All jobs of a folder as text, for a terminal or a mail."""

from collections.abc import Iterator, Sequence

from llmbatch.core import visible
from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import FolderReport

_TEXTS = 3


def render(report: FolderReport) -> str:
    """The sums, then a line for each job, the dearest first."""
    return "".join(f"{visible.line(line)}\n" for line in _lines(report))


def _lines(report: FolderReport) -> Iterator[str]:
    yield words.heading(report)
    yield from (f"  {line}" for line in [*words.totals(report), *words.remarks(report)])
    if report.jobs:
        yield ""
        yield from _table([words.HEADER, *(words.cells(line) for line in report.jobs)])


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they must be; the last one is as long as it is."""
    shown = [[visible.line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            cell.ljust(width) if place >= len(widths) - _TEXTS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
