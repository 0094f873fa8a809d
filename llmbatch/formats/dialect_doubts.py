"""The doubts about the dialect of a CSV file: each refuses it, and names the flag that ends it."""

import re
from collections.abc import Sequence

from llmbatch.core.errors import UsageError
from llmbatch.formats.base import ReadOptions
from llmbatch.formats.dialect_trial import ALIKE, Trial, width_of

# Not tried, but named where they would split all lines alike.
_RARE = ("^", "~", "\x01", "\x1f", "\x1e", "§", "¦")
_MOST_TITLES = 20
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_FLAGS = {"\t": "tab", "\x01": "$'\\x01'", "\x1f": "$'\\x1f'", "\x1e": "$'\\x1e'"}


def refuse_doubtful(tries: Sequence[Trial], name: str, options: ReadOptions) -> None:
    """Raise UsageError where the first lines do not look like a header and its records."""
    first = tries[0]
    if options.skip_lines is None and options.header:
        for each in tries:
            if titles := _titles(each):
                raise _titled(name, titles, each)
    if options.delimiter is not None or first.header > 1:
        return
    for each in tries[1:]:
        sign = each.dialect.delimiter
        having = sum(len(row) > 1 for row in each.rows)
        if each.header > 1 and having > len(each.rows) / 2:
            raise UsageError(
                f"{name}: line {each.starts[0] + 1}: could be {each.header} columns separated by "
                f"{shown(sign)}, or one column: add --delimiter {flag(sign)} or --delimiter none"
            )
    for sign in _RARE:
        counts = {row[0].count(sign) for row in first.rows if row}
        if len(counts) == 1 and counts != {0}:
            raise UsageError(
                f"{name}: every line has {shown(sign)}: if it is the separator, add --delimiter "
                f"{flag(sign)}, else --delimiter none"
            )


def refuse_missing_header(tried: Trial, name: str, options: ReadOptions) -> None:
    """Raise UsageError where the first line looks like one more record."""
    if options.skip_lines is None and options.header and _begins_with_a_row(tried):
        raise UsageError(
            f"{name}: line {tried.starts[0] + 1} looks like a row and not like a header "
            f"({tried.rows[0][0]!r} above numbers): if there is no header, add --no-header; if it "
            "is one, add --skip-lines 0"
        )


def _begins_with_a_row(tried: Trial) -> bool:
    """True if the first column is named by a number, other ones are not, and it holds numbers. Not
    for 0, by which programs name the first of columns without a name."""
    names, *rows = tried.rows or [[]]
    values = [row[0] for row in rows if row and row[0].strip()]
    return (
        len(names) > 1
        and names[0].strip() != "0"
        and _is_number(names[0])
        and not all(map(_is_number, names))
        and bool(values)
        and all(map(_is_number, values))
    )


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _titles(tried: Trial) -> int:
    """The number of physical lines above the header, if they look like titles: one or few fields
    each, above lines that are all of one, greater width."""
    usual = tried.usual
    index = next((n for n, row in enumerate(tried.rows) if width_of(row) == usual), 0)
    below = tried.rows[index:]
    if not 0 < index <= _MOST_TITLES or usual < 2 or len(below) < 2:
        return 0
    # One name that is missing at the end makes no title.
    is_narrow = all(width_of(row) < usual - (len(row) == usual) for row in tried.rows[:index])
    alike = sum(len(row) == len(below[0]) for row in below)
    return tried.starts[index] if is_narrow and alike >= ALIKE * len(below) else 0


def _titled(name: str, lines: int, tried: Trial) -> UsageError:
    sign = tried.dialect.delimiter
    usual = "" if sign == "," else f" separated by {shown(sign)}"
    other = "if the file has one column of text, add --delimiter none"
    if tried.header > 1:
        other = (
            f"if it is the header, name the missing columns or add --skip-lines {lines} --no-header"
        )
    return UsageError(
        f"{name}: line {tried.starts[0] + 1} has {_fields(tried.header)} where line {lines + 1} "
        f"and most others have {tried.usual}{usual}: if it is a title, add --skip-lines {lines}; "
        f"{other}"
    )


def _fields(count: int) -> str:
    return f"{count} field{'s' * (count != 1)}"


def ambiguous(name: str, one: Trial, other: Trial) -> UsageError:
    signs = [each.dialect.delimiter for each in (one, other)]
    return UsageError(
        f"{name}: could be separated by {shown(signs[0])} or by {shown(signs[1])}: add "
        f"--delimiter {flag(signs[0])} or --delimiter {flag(signs[1])}"
    )


def shown(sign: str) -> str:
    """A character for a person to read."""
    return "tab" if sign == "\t" else repr(sign)


def flag(sign: str) -> str:
    """A character as a shell takes it."""
    return _FLAGS.get(sign, f"'{sign}'")
