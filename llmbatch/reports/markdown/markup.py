"""GitHub-flavoured Markdown around values of unknown content."""

import re

from llmbatch.reports.table import Table

_LONGEST = 400
# Around the name of a line of a kind.
_MARKS = {"sum": "**", "aside": "*"}

# What would begin markup, or end a cell of a table. A character that is written by its number is
# a character to any reader: there is no escape of an escape to get wrong.
_MARKUP = re.compile(r"[\\`*\[\]<>&|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\w):(?=//)|@")


def escaped(value: str, limit: int = 0) -> str:
    """Any value as text in one line, cut after `limit` characters (0: never)."""
    line = " ".join("".join(_visible(mark) for mark in value).split())
    if limit and len(line) > limit:
        line = line[: limit - 1] + "…"
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line)


def _visible(mark: str) -> str:
    """A blank for what shows nothing or moves other text: line ends, terminal and bidi controls."""
    return mark if mark.isprintable() else " "


def table(given: Table) -> list[str]:
    """The lines of a table: texts are aligned left and cut where they are long, amounts right."""
    marks = [":--" if place in given.texts else "--:" for place in range(len(given.header))]
    rows = [[escaped(cell, _LONGEST) for cell in line.cells] for line in given.lines]
    for line, row in zip(given.lines, rows, strict=True):
        row[0] = f"{_MARKS.get(line.kind, '')}{row[0]}{_MARKS.get(line.kind, '')}"
    header = [escaped(cell) for cell in given.header]
    return [f"| {' | '.join(line)} |" for line in (header, marks, *rows)]
