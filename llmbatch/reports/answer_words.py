"""The words about a job's answers that all forms of a report share, and their tables."""

from collections.abc import Iterator

from llmbatch.core import units
from llmbatch.core.units import count, number
from llmbatch.reports import wording
from llmbatch.reports.answers import AnswerFigures, Distribution
from llmbatch.reports.report import Report
from llmbatch.reports.table import NONE, Table, TableLine, places

_LONGEST_EXAMPLE = 120
_LONGEST_VALUE = 40
_MOST_IN_LINE = 8


def lines(figures: AnswerFigures | None) -> list[str]:
    """Three answers, the distributions, and the shares of equal, empty and longest answers."""
    if figures is None:
        return ["none yet"]
    examples = [
        f"{wording.place(each.id, each.line)}: {wording.cut(each.answer, _LONGEST_EXAMPLE)}"
        for each in figures.examples
    ]
    return [*examples, *map(distribution, figures.distributions), shares(figures)]


def distribution(given: Distribution) -> str:
    """The values of a label, or a number's range, in a line."""
    name = "" if given.member is None else f"{wording.value(given.member)}: "
    missing = f"; {count(given.missing_rows, 'row')} without one" if given.missing_rows else ""
    if given.kind == "numbers":
        return f"{name}{_range(given)}{missing}"
    shown = given.values[:_MOST_IN_LINE]
    parts = [
        f"{wording.cut(wording.value(each.value), _LONGEST_VALUE)} {number(each.rows)}"
        f"{_share(each.rows, given.rows)}"
        for each in shown
    ]
    others = given.other_rows + sum(each.rows for each in given.values[_MOST_IN_LINE:])
    if len(given.values) > len(shown) or given.other_rows:
        parts.append(f"others {number(others)}{_share(others, given.rows)}")
    return f"{name}{', '.join(parts)}{missing}"


def _share(rows: int, of: int) -> str:
    return f" ({units.share(rows / of)})" if rows and of else ""


def _range(given: Distribution) -> str:
    named = {
        "least": given.least, "median": given.median, "mean": given.mean, "most": given.largest
    }  # fmt: skip
    return ", ".join(f"{name} {_number(value)}" for name, value in named.items())


def _number(value: float | None) -> str:
    return NONE if value is None else units.significant(value, 4)


def shares(figures: AnswerFigures) -> str:
    """The number of different answers, the share of the most common, the empty, the longest."""
    common, longest = figures.most_common, figures.longest
    text = wording.cut(wording.value(common.value), _LONGEST_VALUE)
    equal = f"{units.share(common.rows / figures.rows)} are {text}" if common.rows > 1 else ""
    empty = f"{number(figures.empty_rows)} empty" if figures.empty_rows else "none empty"
    size = count(longest.characters, "character")
    most = f"the longest has {size} ({wording.place(longest.id, longest.line)})"
    looked = f" of {count(figures.rows, 'row')} looked at" if figures.is_sample else ""
    if figures.samples > 1:
        each = count(figures.samples, "sample")
        looked = f" of {count(figures.rows, 'answer')}, since a row has {each}"
    differ = f"{count(figures.distinct, 'different answer')}{looked}"
    return "; ".join(filter(None, (differ, equal, empty, most)))


def tables(report: Report, longest: int = 0) -> list[Table]:
    """The examples and the distributions; texts are cut after `longest` characters (0: never)."""
    figures = report.answers
    if figures is None:
        return []
    return [_examples(figures, longest), *(_counts(each, longest) for each in _labels(figures)),
            *_numbers(figures)]  # fmt: skip


def _examples(figures: AnswerFigures, longest: int) -> Table:
    header = ["row", "line", "answer"]
    lines = [
        TableLine([each.id, number(each.line), wording.cut(each.answer, longest)])
        for each in figures.examples
    ]
    texts = places(header, "row", "answer")
    title = "Answers: the first, one in the middle, the last"
    return Table("answers", title, header, lines, texts, notes=[f"{shares(figures)}."])


def _labels(figures: AnswerFigures) -> Iterator[Distribution]:
    return (each for each in figures.distributions if each.kind == "labels")


def _counts(given: Distribution, longest: int) -> Table:
    name = "answer" if given.member is None else given.member
    lines = [
        _count(wording.cut(wording.value(each.value), longest), each.rows, given.rows)
        for each in given.values
    ]
    if given.other_rows:
        lines.append(_count("(all others)", given.other_rows, given.rows, "aside"))
    if given.missing_rows:
        lines.append(TableLine(["(no value)", number(given.missing_rows), NONE], "aside"))
    title = f"Rows by {wording.cut(name, longest)}"
    return Table(f"values of {name}", title, [wording.cut(name, longest), "rows", "share"], lines)


def _count(name: str, rows: int, of: int, kind: str = "") -> TableLine:
    return TableLine([name, number(rows), units.share(rows / of) if of else NONE], kind)


def _numbers(figures: AnswerFigures) -> Iterator[Table]:
    found = [each for each in figures.distributions if each.kind == "numbers"]
    if not found:
        return
    header = ["number", "rows", "least", "median", "mean", "most", "without"]
    lines = [
        TableLine(
            [
                each.member or "answer",
                number(each.rows),
                *map(_number, (each.least, each.median, each.mean, each.largest)),
                number(each.missing_rows),
            ]
        )
        for each in found
    ]
    yield Table("numbers", "Numbers in the answers", header, lines)
