"""The values of rows, told apart, and what all forms of a report say in the same words."""

import re
from collections.abc import Sequence

from llmbatch.accounting.usage import RunUsage
from llmbatch.core.units import share

_MISSING = "(none)"
_EMPTY = "(empty)"
_BETWEEN = " / "

# As our own names look, or as a value in quotes does.
_LIKE_OURS = re.compile(r"\(.*\)|['\"].*", re.DOTALL)
_FURTHER_BLANK = re.compile(r"(?<= ) ")


def value(given: str | None) -> str:
    """A value of a row: no two of them look the same, nor as one that is missing or empty. One
    with blanks that nobody sees, or that looks like a name of ours, stands in quotes."""
    if given is None:
        return _MISSING
    if not given:
        return _EMPTY
    plain = given.isprintable() and given == " ".join(given.split())
    return given if plain and not _LIKE_OURS.fullmatch(given) else _quoted(given)


def _quoted(given: str) -> str:
    return _FURTHER_BLANK.sub(r"\\x20", repr(given))


def values(given: Sequence[str | None], longest: int = 0) -> list[str]:
    """The values of several columns, such that what stands between them is not taken for a part
    of one; each cut after `longest` characters (0: never)."""
    apart = [
        _quoted(each) if each and len(given) > 1 and _BETWEEN in each else value(each)
        for each in given
    ]
    return [f"{each[: longest - 1]}…" if 0 < longest < len(each) else each for each in apart]


def group(given: Sequence[str | None], note: str | None, longest: int = 0) -> str:
    """The name of rows with these values, or of what a note says of no values."""
    return f"({note})" if note is not None else _BETWEEN.join(values(given, longest))


def compared(ratio: float) -> str:
    """What another price comes to beside this cost, `ratio` of it: less, more, or so many times."""
    if ratio < 0.1:
        return f"{share(ratio)} of this cost"
    percent = f"{100 * abs(ratio - 1):.0f} %"
    if percent == "0 %":
        return "as much as this cost"
    if ratio >= 2:
        return f"{ratio:,.{0 if ratio >= 100 else 1}f} times this cost"
    return f"{percent} {'more' if ratio > 1 else 'less'} than this cost"


def no_money(runs: Sequence[RunUsage]) -> str:
    """Why the runs' money is not told, and what to do about it."""
    if all(run.cost is not None for run in runs):
        named = sorted({run.currency for run in runs})
        return (
            f"prices in different currencies ({', '.join(named)}), which do not add up; "
            f"give one for all, as in --price-per-hour 2.50 --currency {named[0]}"
        )
    which = "" if len(runs) == 1 else " (every run needs one)"
    return f"give --price-per-hour or --price-per-million to see money{which}"
