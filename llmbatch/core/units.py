"""Amounts in words: with their unit, and no more digits than matter."""

from decimal import Decimal

from llmbatch.core import money as quanta


def number(amount: float) -> str:
    """A count with separators for thousands; a fraction with one decimal."""
    return f"{amount:,.0f}" if amount == round(amount) else f"{amount:,.1f}"


def count(amount: int, noun: str) -> str:
    """A count before its noun, which gets an s where it is not one."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def rate(amount: float | None) -> str:
    """An amount per second in about three digits; a dash where it is not known."""
    if amount is None:
        return "-"
    if amount >= 100 or amount == 0:
        return f"{amount:,.0f}"
    return f"{amount:,.1f}" if amount >= 10 else f"{amount:,.2f}"


def share(part: float) -> str:
    """A share (0..1) in per cent; small ones keep a digit that is not zero."""
    percent = 100 * part
    if percent == 0 or abs(percent) >= 9.95:
        return f"{percent:.0f} %"
    if abs(percent) >= 0.1:
        return f"{percent:.1f} %"
    return f"{percent:.1g} %" if abs(percent) >= 0.001 else "< 0.001 %"


def seconds(amount: float) -> str:
    """A span of time: milliseconds, seconds up to two minutes, then minutes, then hours."""
    if abs(amount) < 1:
        return f"{1000 * amount:,.0f} ms" if abs(amount) >= 0.0095 else f"{1000 * amount:.2g} ms"
    if abs(amount) < 120:
        return f"{amount:,.1f} s"
    minutes, rest = divmod(round(amount), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"


def duration(amount: float) -> str:
    """A span of time that is estimated, or goes on: whole seconds, and the larger two of hours,
    minutes and seconds."""
    minutes, rest = divmod(round(amount), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def significant(amount: float, digits: int) -> str:
    """At least so many significant digits, without an exponent or zeros at the end."""
    exact = Decimal(repr(float(amount)))
    places = max(0, digits - 1 - exact.adjusted()) if exact else 0
    text = f"{exact:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(amount: float) -> str:
    """A price with all its digits, as it was given."""
    text = f"{Decimal(repr(float(amount))):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amount: float, currency: str, total: float | None = None) -> str:
    """An amount in its currency, with the digits that `core.money` gives it, or with those of the
    total that it is a part of."""
    return f"{currency} {digits(amount, total)}"


def digits(amount: float, total: float | None = None) -> str:
    """The same without the currency, where that is named elsewhere."""
    unit = quanta.quantum(amount if total is None else total)
    return f"{quanta.rounded(amount, unit):,f}"


def rough_money(amount: float) -> str:
    """An amount that is estimated, or goes on, without its currency: cents, below ten cents four
    or six decimals."""
    return f"{amount:,.{2 if amount >= 0.1 else 4 if amount >= 0.001 else 6}f}"


def size(amount: float) -> str:
    """Bytes, in powers of 1,024."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    place = 0
    while abs(amount) >= 1024 and place < len(units) - 1:
        amount, place = amount / 1024, place + 1
    digits = 0 if amount >= 100 or not place else 1
    return f"{amount:,.{digits}f} {units[place]}"


def energy(joules: float) -> str:
    """Kilowatt-hours, to four digits."""
    return f"{significant(joules / 3_600_000, 4)} kWh"
