"""Amounts of money to the last digit shown: how many digits those are, and sums that hold.

An amount that is shown is a whole number of quanta. When one is divided the parts are rounded so
that they still add up to it: by the largest remainder (Hamilton's method; Balinski and Young,
"Fair Representation", 1982), which gives every part its exact share rounded down or up.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
_PLACES = 4  # below 10; as many significant digits below 0.1
_CENTS_FROM = 10

_LONGEST_CURRENCY = 8

# Wide enough for any float: the quotient of the largest by the smallest has 633 digits.
_WIDE = Context(prec=700, rounding=ROUND_HALF_EVEN)


def quantum(total: float | Decimal) -> Decimal:
    """The smallest part of an amount that is shown: cents from 10 on, four decimals below, four
    significant digits below 0.1 (0.005632). The sign does not matter."""
    amount = abs(_exact(total))
    if amount >= _CENTS_FROM:
        return CENT
    places = -_PLACES if amount == 0 else min(-_PLACES, amount.adjusted() - _PLACES + 1)
    return Decimal(1).scaleb(places, _WIDE)


def rounded(amount: float | Decimal, unit: Decimal | None = None) -> Decimal:
    """The amount in whole units, its own quantum if none is given."""
    exact = _exact(amount)
    return exact.quantize(quantum(exact) if unit is None else unit, context=_WIDE)


def allocate(
    total: Decimal, weights: Sequence[float | Decimal], unit: Decimal | None = None
) -> list[Decimal]:
    """Divide `total` (a whole number of units, else ValueError) by the weights (none below zero).

    The parts are whole units, add up to the total exactly, and each is within one unit of its
    exact share. Of equal remainders the earlier one is rounded up. With no weight at all the parts
    are equal, as near as units allow; without parts there must be nothing to divide (ValueError).
    """
    unit = quantum(total) if unit is None else unit
    units = Fraction(total) / Fraction(unit)
    if units.denominator != 1:
        raise ValueError(f"{total} is not a whole number of {unit}")
    if not weights:
        if total:
            raise ValueError(f"there is no part to give {total} to")
        return []
    whole = _largest_remainder(abs(units.numerator), [Fraction(_exact(each)) for each in weights])
    sign = -1 if units < 0 else 1
    return [_WIDE.multiply(unit, sign * each) for each in whole]


def _largest_remainder(units: int, weights: list[Fraction]) -> list[int]:
    if min(weights) < 0:
        raise ValueError("a weight is below zero")
    if not any(weights):
        weights = [Fraction(1)] * len(weights)
    among = sum(weights)
    shares = [units * weight / among for weight in weights]
    parts = [int(share) for share in shares]
    left = units - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda at: parts[at] - shares[at])
    for at in by_remainder[:left]:
        parts[at] += 1
    return parts


def _exact(amount: float | Decimal) -> Decimal:
    """A float as it is written, not as its bits are: 0.1 is a tenth."""
    return Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)


def check_currency(text: str) -> None:
    """Raise ValueError for a text that cannot stand beside an amount. A job of an older llmbatch
    may have such a currency, and is still reported."""
    if not 0 < len(text) <= _LONGEST_CURRENCY:
        raise ValueError(f"must have 1 to {_LONGEST_CURRENCY} characters, such as USD")
    if not text.isprintable() or any(character.isspace() for character in text):
        raise ValueError("must have letters, digits or symbols only, and no white space")
