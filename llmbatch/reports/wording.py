"""Amounts as a reader wants to see them: with their unit, and no more digits than matter; and
the values of rows, told apart."""

import re
from collections.abc import Sequence
from decimal import Decimal

from llmbatch.accounting.usage import RunUsage
from llmbatch.core import money as quanta

_MISSING = "(none)"
_EMPTY = "(empty)"
_BETWEEN = " / "

# As our own names look, or as a value in quotes does.
_LIKE_OURS = re.compile(r"\(.*\)|['\"].*", re.DOTALL)
_FURTHER_BLANK = re.compile(r"(?<= ) ")


def number(amount: float) -> str:
    """A count: whole, with separators for thousands; of a part of one, one digit of it."""
    return f"{amount:,.0f}" if amount == round(amount) else f"{amount:,.1f}"


def count(amount: int, noun: str) -> str:
    """A count and what was counted."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def rate(amount: float | None) -> str:
    """Something per second: about three digits; a dash where it is not known."""
    if amount is None:
        return "-"
    if amount >= 100 or amount == 0:
        return f"{amount:,.0f}"
    return f"{amount:,.1f}" if amount >= 10 else f"{amount:,.2f}"


def share(part: float) -> str:
    """A part of one as per cent; small ones keep a digit that is not zero."""
    percent = 100 * part
    if percent == 0 or abs(percent) >= 9.95:
        return f"{percent:.0f} %"
    if abs(percent) >= 0.1:
        return f"{percent:.1f} %"
    return f"{percent:.1g} %" if abs(percent) >= 0.001 else "< 0.001 %"


def seconds(amount: float) -> str:
    """A span of time: seconds with their parts up to two minutes, then minutes, then hours."""
    if abs(amount) < 1:
        return f"{1000 * amount:,.0f} ms" if abs(amount) >= 0.0095 else f"{1000 * amount:.2g} ms"
    if abs(amount) < 120:
        return f"{amount:,.1f} s"
    minutes, rest = divmod(round(amount), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"


def significant(amount: float, digits: int) -> str:
    """At least so many digits, without an exponent; no zeros at the end."""
    exact = Decimal(repr(float(amount)))
    places = max(0, digits - 1 - exact.adjusted()) if exact else 0
    told = f"{exact:,.{places}f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def price(amount: float) -> str:
    """A price with all its digits, as it was given."""
    told = f"{Decimal(repr(float(amount))):,f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


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


def money(amount: float, currency: str, total: float | None = None) -> str:
    """An amount in its currency, with the digits that `core.money` gives it, or with those of the
    total that it is a part of."""
    return f"{currency} {digits(amount, total)}"


def digits(amount: float, total: float | None = None) -> str:
    """The same without the currency, where that is named elsewhere."""
    unit = quanta.quantum(amount if total is None else total)
    return f"{quanta.rounded(amount, unit):,f}"


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


def size(amount: float) -> str:
    """Bytes, in powers of 1,024."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    place = 0
    while abs(amount) >= 1024 and place < len(units) - 1:
        amount, place = amount / 1024, place + 1
    digits = 0 if amount >= 100 or not place else 1
    return f"{amount:,.{digits}f} {units[place]}"
