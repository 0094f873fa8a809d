"""A table as text, whose amounts stand below each other."""

import textwrap
from collections.abc import Iterator

from llmbatch.core import visible
from llmbatch.reports.table import Table

# Characters of a column that its header may always take before it is broken.
_LEAST = 14


def columns(table: Table) -> Iterator[str]:
    """The header and the lines: columns as wide as they must be, the last as long as it is."""
    rows = [[visible.line(cell) for cell in line.cells] for line in table.lines]
    heads = [
        textwrap.wrap(name, max(_LEAST, *(len(row[at]) for row in rows)), break_long_words=False)
        for at, name in enumerate(map(visible.line, table.header))
    ]
    height = max(map(len, heads))
    above = [[""] * (height - len(head)) + head for head in heads]
    lines = [*map(list, zip(*above, strict=True)), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if at in table.texts else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
