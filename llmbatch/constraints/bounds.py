"""Bounds that contradict each other: of sizes and of numbers."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from llmbatch.constraints.schema_walk import Path, Subschema, place

SIZES = {
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
    "string": ("minLength", "maxLength"),
}


class Fault(NamedTuple):
    """A place in a schema, and the reason why no value can be there."""

    path: Path
    reason: str


Held = tuple[Subschema, ...]
"""Schemas that one value must keep at once."""


def sizes_fault(held: Held, low: str, high: str) -> Fault | None:
    """The fault of two bounds that leave no size."""
    lows = [one for one in held if low in one.schema]
    highs = [one for one in held if high in one.schema]
    if not (lows and highs):
        return None
    most = max(lows, key=lambda one: one.schema[low])
    least = min(highs, key=lambda one: one.schema[high])
    if most.schema[low] <= least.schema[high]:
        return None
    return _contradiction((*most.path, low), (*least.path, high))


def own_fault(one: Subschema) -> Fault | None:
    """The fault of two bounds of one schema that leave nothing, even if it allows other types."""
    if not isinstance(one.schema, Mapping):
        return None
    for low, high in SIZES.values():
        if found := sizes_fault((one,), low, high):
            return found
    return number_fault((one,), whole=one.schema.get("type") == "integer")


def _contradiction(one: Path, other: Path) -> Fault:
    return Fault(one, f"leaves nothing beside {place(other)}; mend one of them")


def number_fault(held: Held, whole: bool) -> Fault | None:
    """The fault of numeric bounds between which there is no number, or no `whole` one."""
    low = _bound(held, ("minimum", "exclusiveMinimum"), 1)
    high = _bound(held, ("maximum", "exclusiveMaximum"), -1)
    if low is None or high is None:
        return None
    (from_, from_open, at), (to, to_open, beside) = low, high
    empty = from_ > to or (from_ == to and (from_open or to_open))
    steps = [one.schema["multipleOf"] for one in held if "multipleOf" in one.schema]
    steps += [1] if whole else []
    return (
        _contradiction(at, beside)
        if empty
        or any(_no_multiple(Fraction(step), from_, from_open, to, to_open) for step in steps)
        else None
    )


def _no_multiple(
    step: Fraction, low: Fraction, low_open: bool, high: Fraction, high_open: bool
) -> bool:
    first, last = ceil(low / step), floor(high / step)
    first += low_open and first * step == low
    last -= high_open and last * step == high
    return first > last


def _bound(held: Held, words: tuple[str, str], sign: int) -> tuple[Fraction, bool, Path] | None:
    """The tightest of these bounds, True if it is excluded itself, and its place."""
    found = [
        (Fraction(one.schema[word]), n == 1, (*one.path, word))
        for one in held
        for n, word in enumerate(words)
        if isinstance(one.schema.get(word), int | Decimal)
    ]
    return max(found, key=lambda bound: (sign * bound[0], bound[1])) if found else None
