"""All jobs of a folder as GitHub-flavoured Markdown."""

from collections.abc import Iterator

from llmbatch.reports import folder_words as words
from llmbatch.reports.folder import Fleet
from llmbatch.reports.markdown.markup import escaped, table

_LONGEST = 400


def render(fleet: Fleet) -> str:
    """The sums as a list, then a table with a line for each job."""
    return "\n".join(_lines(fleet)) + "\n"


def _lines(fleet: Fleet) -> Iterator[str]:
    yield f"## {escaped(words.heading(fleet))}"
    told = [*words.totals(fleet), *words.remarks(fleet)]
    if told:
        yield ""
        yield from (f"- {escaped(line)}" for line in told)
    if fleet.jobs:
        yield ""
        rows = ([escaped(cell, _LONGEST) for cell in words.cells(line)] for line in fleet.jobs)
        last = len(words.HEADER)
        yield from table(words.HEADER, rows, texts=range(last - 3, last))
