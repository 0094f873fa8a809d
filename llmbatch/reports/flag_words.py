"""The words about flags of rows that all forms of a report share, and their table."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.quality.signs.registry import MEANINGS
from llmbatch.reports import wording
from llmbatch.reports.flags import FlagFigures, FlagLine
from llmbatch.reports.report import Report
from llmbatch.reports.table import NONE, Table, TableLine, places

LABELS = {"check": "checks", "sign": "signs"}
"""The labels of the first lines on flags, by their origin."""
_MOST = 8
_LONGEST = 40
_LONGEST_SEEN = 80


def lines(report: Report, origin: str) -> list[str]:
    """The flags of one origin, and the warning signs of the whole job, in sentences."""
    given = next((each for each in report.flags if each.origin == origin), None)
    rows = [] if given is None else [_rows(given, report.counts.answered)]
    whole = report.job_signs if origin == "sign" else []
    return rows + [f"{each.name}: {wording.cut(each.detail, _LONGEST_SEEN)}" for each in whole]


def _rows(given: FlagFigures, answered: int) -> str:
    shown = [f"{wording.cut(each.name, _LONGEST)} {number(each.rows)}" for each in given.names]
    more = len(shown) - _MOST
    others = [f"and {count(more, 'other')}"] if more > 0 else []
    flagged = f"{number(given.rows)} of {count(answered, 'answered row')} flagged"
    return f"{flagged}: {', '.join([*shown[:_MOST], *others])}"


def table(report: Report, longest: int = 0) -> Table:
    """The flags by name; texts of rows are cut after `longest` characters (0: never)."""
    header = ["flag", "meaning", "rows", "share", "for example", "line", "seen there"]
    return Table(
        key="flags",
        title="Flags: warning signs, and checks that only flag",
        header=header,
        lines=list(_table_lines(report, longest)),
        texts=places(header, "flag", "meaning", "for example", "seen there"),
    )


def _table_lines(report: Report, longest: int) -> Iterator[TableLine]:
    for given in report.flags:
        for each in given.names:
            yield _of_rows(given.origin, each, report.counts.answered, longest)
    for sign in report.job_signs:
        cells = [sign.name, MEANINGS[sign.name], NONE, NONE, NONE, NONE]
        yield TableLine([*cells, wording.cut(sign.detail, longest)])


def _of_rows(origin: str, given: FlagLine, answered: int, longest: int) -> TableLine:
    meaning = "a check of the job" if origin == "check" else MEANINGS.get(given.name, "")
    return TableLine(
        [
            given.name,
            meaning,
            number(given.rows),
            units.share(given.rows / answered) if answered else NONE,
            wording.cut(given.id, longest),
            number(given.line),
            wording.cut(given.detail or "", longest),
        ]
    )
