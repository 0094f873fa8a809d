"""The dialect of a CSV file, found by its first lines.

A guess must be safe: of the separators and quotes that could be, one alone splits the first lines
into a header and records of as many fields. Otherwise the file is refused, with the flag that
says what is meant.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from llmbatch.formats import dialect_doubts, dialect_trial
from llmbatch.formats.base import ReadOptions
from llmbatch.formats.dialect_trial import Dialect, Trial

NONE = "none"
# Stands for the separator of a file that has none: no text holds this character.
_NO_SEPARATOR = "\uffff"
_SEPARATORS = (",", ";", "\t", "|")
_EXCEL = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def find(
    head: Sequence[str], name: str, options: ReadOptions, usual: str, *, is_whole: bool
) -> tuple[Dialect, list[str]]:
    """The dialect of a file that begins with the lines `head`, and the words for what was found;
    `usual`: the separator of its format; `is_whole`: there are no further lines. Raises UsageError
    where no guess is safe."""
    asked = Dialect(
        _NO_SEPARATOR if options.delimiter == NONE else options.delimiter or usual,
        _mark(options.quote, '"'),
        _mark(options.escape, ""),
        options.skip_lines or 0,
    )
    lines, found = _complete(head, is_whole=is_whole), list[str]()
    is_open = options.skip_lines is None and options.delimiter is None and lines
    if is_open and (excel := _EXCEL.fullmatch(lines[0])):
        asked = replace(asked, delimiter=excel[1], skip=1)
        options = replace(options, delimiter=excel[1])
        found.append(f"{dialect_doubts.shown(excel[1])} as separator (line 1 says so)")
    dialect = _chosen(lines, name, options, asked)
    if options.delimiter is None and dialect.delimiter != usual:
        found.append(f"{dialect_doubts.shown(dialect.delimiter)} as separator")
    if dialect.quote != asked.quote:
        found.append(f"{dialect.quote} as quote")
    if dialect.escape != asked.escape:
        found.append(f"{dialect.escape} as escape before quotes")
    if dialect.trailing:
        found.append("no separator at the end of records")
    if dialect.blanks:
        found.append("no blanks after separators")
    if dialect.skip > asked.skip:
        found.append(f"no comment lines above the header ({_lines(dialect.skip)})")
    return dialect, found


def _lines(count: int) -> str:
    return "line 1" if count == 1 else f"lines 1 to {count}"


def _complete(head: Sequence[str], *, is_whole: bool) -> list[str]:
    """The lines, without those of a last record that goes on behind them."""
    lines = list(head)
    if is_whole:
        return lines
    open_since = None
    for number, line in enumerate(lines):
        if line.count('"') % 2:
            open_since = number if open_since is None else None
    return lines[:open_since] if open_since else lines


def _mark(given: str | None, usual: str) -> str:
    return usual if given is None else "" if given == NONE else given


def _chosen(lines: list[str], name: str, options: ReadOptions, asked: Dialect) -> Dialect:
    separators = [asked.delimiter]
    if options.delimiter is None:
        separators += [each for each in _SEPARATORS if each != asked.delimiter]
    if options.skip_lines is None:
        asked = replace(asked, skip=asked.skip + _comments(lines[asked.skip :], separators))
    tries = [_best(lines, options, replace(asked, delimiter=each)) for each in separators]
    if (numbered := [each for each in tries if each.is_numbered and each.header > 1]) and (
        options.header and not any(each.is_alike for each in tries)
    ):
        return replace(numbered[0].dialect, numbered=True)
    first = tries[0]
    alike = [each for each in tries if each.is_alike]
    if first.is_alike or not alike:
        rival = next((each for each in alike if each is not first and first.is_alike), None)
    else:
        first, rival = alike[0], alike[1] if alike[1:] else None
        if tries[0].header > 1 and tries[0].share > 0.5:
            rival = tries[0]
    if rival and rival.rows[1:]:
        raise dialect_doubts.ambiguous(name, first, rival)
    if not first.is_alike:
        dialect_doubts.refuse_doubtful(tries, name, options)
    dialect_doubts.refuse_missing_header(first, name, options)
    return replace(first.dialect, trailing=options.header and first.is_trailing)


def _comments(lines: list[str], separators: Sequence[str]) -> int:
    """The lines at the beginning that are comments: those with `#`, unless they split as the next
    line does, and so are the header."""
    count = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if not count or count == len(lines):
        return 0
    last, following = lines[count - 1], lines[count]
    for each in separators:
        if each in following:
            return 0 if last.count(each) == following.count(each) else count
    return 0


def _best(lines: list[str], options: ReadOptions, dialect: Dialect) -> Trial:
    """The first lines with this separator; with other quotes, escapes and blanks where these alone
    make records of them."""
    plain = dialect_trial.read(lines, dialect)
    if plain.is_alike and not plain.faults and not _is_quoted_by(plain, "'"):
        return plain
    others: list[Dialect] = []
    if options.escape is None and any(f"\\{dialect.quote}" in line for line in lines):
        others.append(replace(dialect, escape="\\"))
    if options.quote is None and any("'" in line for line in lines):
        others.append(replace(dialect, quote="'"))
    if any(f"{dialect.delimiter} {dialect.quote}" in line for line in lines):
        others.append(replace(dialect, blanks=True))
    for other in others:
        tried = dialect_trial.read(lines, other)
        is_needed = plain.faults or plain.share < 1 or _is_quoted_by(plain, other.quote)
        if tried.header == plain.header and tried.share == 1 and not tried.faults and is_needed:
            return tried
    return plain


def _is_quoted_by(tried: Trial, quote: str) -> bool:
    """True if all values of a column stand within these marks, which are not the quotes."""
    if quote == tried.dialect.quote or len(tried.rows) < 2:
        return False
    columns = zip(*(row for row in tried.rows[1:] if len(row) == len(tried.rows[0])), strict=True)
    return any(
        all(len(value) > 1 and value[0] == value[-1] == quote for value in values)
        for values in columns
    )
