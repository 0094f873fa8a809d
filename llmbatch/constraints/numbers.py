"""Numbers of JSON, exact: each knows how it was written, and where among those of its text.

A double holds 17 digits and no decimal fraction, so 19.99 would be no multiple of 0.01, and an
identifier beyond 2**53 would equal its neighbours.
"""

from decimal import Decimal, InvalidOperation
from math import isinf
from typing import Any, Self

_INTEGERS = range(-(2**63), 2**64)
# Digits before the point of the largest double; what has more is no number for most readers.
MOST_DIGITS = 308


class NumberError(ValueError):
    """A number is out of the range that readers of JSON can hold."""


class ExactDecimal(Decimal):
    """A number with a point or an exponent. `text`: as it was written; `order`: its position among
    the numbers of the text, from 0; `written`: the text that is to take its place, if any."""

    text: str
    order: int = -1
    written: str | None = None

    def __new__(cls, text: str) -> Self:
        """The number written as `text`. Raises NumberError."""
        if len(text) > MOST_DIGITS * 4:
            raise NumberError("number too long")
        if isinf(float(text)):
            raise NumberError("number too large")
        try:
            number = super().__new__(cls, text)
        except InvalidOperation as error:
            raise NumberError("number too small") from error
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


class ExactInteger(int):
    """An integer that knows its place; see `ExactDecimal`."""

    text: str
    order: int = -1
    written: str | None = None

    def __new__(cls, text: str) -> Self:
        """The number written as `text`. Raises NumberError."""
        if len(text.lstrip("-")) > MOST_DIGITS:
            raise NumberError("number too large")
        number = super().__new__(cls, text)
        number.text = text
        return number


def is_number(value: Any) -> bool:
    """True for a number; `true` and `false` are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """True for a number without a fraction: to JSON Schema 1.0 is an integer."""
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def text_of(number: int | Decimal) -> str:
    """A number as it was written."""
    return number.text if isinstance(number, ExactDecimal | ExactInteger) else str(number)


def engine_form(number: int | Decimal) -> Decimal | int:
    """The value that an engine writes in place of one that a schema names: the double with 17
    digits, as 0.10000000000000001 for 0.1. Integers of 64 bits are written exactly."""
    if isinstance(number, int) and number in _INTEGERS:
        return number
    return Decimal(f"{float(number):.17g}")


def is_multiple(number: int | Decimal, divisor: int | Decimal) -> bool:
    """True if `number` is a whole multiple of `divisor`, which is above 0; exact."""
    count, power = _scaled(number)
    other, other_power = _scaled(divisor)
    if count == 0:
        return True
    if power < other_power:
        # It has digits below the last one of the divisor.
        return False
    scale: int = 10 ** (power - other_power)
    return count * scale % other == 0


def _scaled(number: int | Decimal) -> tuple[int, int]:
    """(n, e) with number = n * 10**e, and n no multiple of 10."""
    sign, digits, exponent = Decimal(number).as_tuple()
    assert isinstance(exponent, int)
    last = len(digits)
    while last > 1 and digits[last - 1] == 0:
        last -= 1
    count = int("".join(map(str, digits[:last])))
    return -count if sign else count, exponent + len(digits) - last
