"""GitHub-flavoured Markdown around values that nobody has looked at."""

import re
from collections.abc import Iterable, Sequence

# What would begin markup, or end a cell of a table. A character that is written by its number is
# a character to any reader: there is no escape of an escape to get wrong.
_MARKUP = re.compile(r"[\\`*\[\]<>&|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\w):(?=//)|@")


def escaped(value: str, limit: int = 0) -> str:
    """A value as text in one line, whatever it holds; cut after `limit` characters (0: never)."""
    line = " ".join("".join(_visible(mark) for mark in value).split())
    if limit and len(line) > limit:
        line = line[: limit - 1] + "…"
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line)


def _visible(mark: str) -> str:
    """A blank for what shows nothing or moves other text: line ends, terminal and bidi controls."""
    return mark if mark.isprintable() else " "


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Iterable[int] = (0,)
) -> list[str]:
    """The lines of a table whose cells are markup already. The columns at the places `texts` are
    aligned left, the others, which are of numbers, right."""
    left = set(texts)
    marks = [":--" if place in left else "--:" for place in range(len(header))]
    return [f"| {' | '.join(line)} |" for line in (header, marks, *rows)]
