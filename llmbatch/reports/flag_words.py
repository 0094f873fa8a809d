"""The words about flags of rows that all forms of a report share, and their table."""

from collections.abc import Iterator, Sequence

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.reports import wording
from llmbatch.reports.flags import FlagFigures, FlagLine
from llmbatch.reports.table import Table, TableLine, places

LABELS = {"check": "checks", "sign": "signs"}
_MOST = 8
_LONGEST = 40


def line(given: FlagFigures, answered: int) -> Iterator[str]:
    """The flags of one origin in a sentence."""
    shown = [f"{wording.cut(each.name, _LONGEST)} {number(each.rows)}" for each in given.names]
    more = len(shown) - _MOST
    others = [f"and {count(more, 'other')}"] if more > 0 else []
    flagged = f"{number(given.rows)} of {count(answered, 'answered row')} flagged"
    yield f"{flagged}: {', '.join([*shown[:_MOST], *others])}"


def table(figures: Sequence[FlagFigures], answered: int, longest: int = 0) -> Table:
    """The flags by name; texts of rows are cut after `longest` characters (0: never)."""
    header = ["flag", "of", "rows", "share", "for example", "line", "seen there"]
    lines = [
        _line(given.origin, each, answered, longest) for given in figures for each in given.names
    ]
    texts = places(header, "flag", "of", "for example", "seen there")
    return Table("flags", "Flags", header, lines, texts=texts)


def _line(origin: str, given: FlagLine, answered: int, longest: int) -> TableLine:
    kind = {"check": "a check", "sign": "warning sign"}[origin]
    return TableLine(
        [
            given.name,
            kind,
            number(given.rows),
            units.share(given.rows / answered) if answered else "",
            wording.cut(given.id, longest),
            number(given.line),
            wording.cut(given.detail or "", longest),
        ]
    )
