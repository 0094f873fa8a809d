"""A table of a report as a value: its cells are texts, and every form writes it in its own way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

NONE = "-"


@dataclass(frozen=True, slots=True)
class TableLine:
    """The cells of a line; the first one is its name.

    `kind`: "sum", "sub" (a part of the line above), "aside" (its name is a note, no value of a
    row) or "". `key` names what the line is about where a figure shows it, too.
    """

    cells: Sequence[str]
    kind: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        return self.cells[0]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table with a cell of `header` for each column.

    `texts`: the columns (from 0) that hold texts; the others hold amounts. `notes`: sentences
    about what it shows.
    """

    key: str
    title: str
    header: Sequence[str]
    lines: Sequence[TableLine] = ()
    texts: Collection[int] = (0,)
    notes: Sequence[str] = ()


def places(header: Sequence[str], *names: str) -> tuple[int, ...]:
    """The places (from 0) of the columns with these names."""
    return tuple(header.index(name) for name in names)
