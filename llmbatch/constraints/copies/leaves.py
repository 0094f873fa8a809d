"""Copies of strings and numbers for a backend.

Each takes a flat schema and gives its copy, with the keywords that the copy lacks.
"""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from llmbatch.constraints.copies.backend import Backend
from llmbatch.constraints.copies.format_patterns import FORMAT_PATTERNS, WITHOUT_PATTERN
from llmbatch.constraints.patterns import translate
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.translate import Pattern

Copied = tuple[Any, list[str]]
"""A copy (False: nothing fits), and the keywords that only the check holds."""

# A guidance grammar for multiples counts up to them; with more states it takes seconds.
_LARGEST_FACTOR = 10_000
_MOST_DECIMALS = 9
_LARGEST_NUMBER = 10**15


def texts_of(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    """The values of a keyword in a flat schema: its own, and those that did not merge."""
    every = [schema, *schema.get("allOf", ())]
    return [each[keyword] for each in every if keyword in each]


def string(schema: Mapping[str, Any], backend: Backend) -> Copied:
    """The copy of a string."""
    left: list[str] = []
    found: list[tuple[str, Pattern]] = []
    for keyword, pattern in _patterns(schema):
        if pattern is None or (pattern.needs_escapes and not backend.escapes):
            left.append(keyword)
        else:
            left += [f"{keyword} ({note})" for note in pattern.left_out]
            found.append((keyword, pattern))
    lengths = {
        keyword: int(schema[keyword])
        for keyword in ("minLength", "maxLength")
        if keyword in schema and (keyword == "maxLength" or schema[keyword] > 0)
    }
    if lengths.get("minLength", 0) > lengths.get("maxLength", math.inf):
        return False, []
    if not backend.joins_texts:
        left += [keyword for keyword, _ in found[1:]] + list(lengths)
        found, lengths = found[:1], {}
    copy: dict[str, Any] = {"type": "string"}
    patterns = [{"pattern": f"^(?:{pattern.grammar})$"} for _, pattern in found]
    if patterns:
        copy |= patterns[0] if len(patterns) == 1 else {"allOf": patterns}
    return copy | lengths, left


def _patterns(schema: Mapping[str, Any]) -> Iterator[tuple[str, Pattern | None]]:
    """Each pattern and format with its keyword; None for one that is no pattern for a grammar.
    Formats that are not checked say nothing."""
    for text in texts_of(schema, "pattern"):
        try:
            yield "pattern", translate.search(text)
        except PatternError:
            yield "pattern", None
    for name in texts_of(schema, "format"):
        if name in FORMAT_PATTERNS:
            yield "format", translate.whole(FORMAT_PATTERNS[name])
        elif name in WITHOUT_PATTERN:
            yield "format", None


def number(schema: Mapping[str, Any], kind: str, backend: Backend) -> Copied:
    """The copy of a number or an integer."""
    factors = [Decimal(repr(one)) for one in texts_of(schema, "multipleOf")]
    if any(one == one.to_integral_value() for one in factors):
        kind = "integer"
    factors = [one for one in factors if kind == "number" or one % 1 or one != 1]
    copy, left = (_integer if kind == "integer" else _decimal)(schema, backend)
    if copy is False or not factors:
        return copy, left
    low = max(schema.get("minimum", -1), schema.get("exclusiveMinimum", -1))
    is_held = backend.multiples and len(factors) == 1 and low >= 0 and _is_small(factors[0])
    if not is_held:
        return copy, [*left, "multipleOf"]
    return copy | {"multipleOf": schema["multipleOf"]}, left


def _is_small(factor: Decimal) -> bool:
    decimals = -int(factor.normalize().as_tuple().exponent)
    return decimals <= _MOST_DECIMALS and factor.scaleb(max(0, decimals)) <= _LARGEST_FACTOR


def _integer(schema: Mapping[str, Any], backend: Backend) -> Copied:
    low = [math.ceil(schema["minimum"])] if "minimum" in schema else []
    low += [math.floor(schema["exclusiveMinimum"]) + 1] if "exclusiveMinimum" in schema else []
    high = [math.floor(schema["maximum"])] if "maximum" in schema else []
    high += [math.ceil(schema["exclusiveMaximum"]) - 1] if "exclusiveMaximum" in schema else []
    bounds = {"minimum": max(low, default=None), "maximum": min(high, default=None)}
    if low and high and max(low) > min(high):
        return False, []
    copy: dict[str, Any] = {"type": "integer"}
    left = []
    for keyword, bound in bounds.items():
        if bound is not None and abs(bound) <= backend.largest_integer:
            copy[keyword] = bound
        elif bound is not None:
            left.append(keyword)
    return copy, left


def _decimal(schema: Mapping[str, Any], backend: Backend) -> Copied:
    copy: dict[str, Any] = {"type": "number"}
    left = []
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        bound = schema.get(keyword)
        if bound is not None and backend.number_bounds and _is_plain(bound):
            copy[keyword] = bound
        elif bound is not None:
            left.append(keyword)
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    return (False, []) if low > high else (copy, left)


def _is_plain(number: float) -> bool:
    """True if it can be written without an exponent, with up to 15 digits."""
    written = Decimal(repr(number)).normalize()
    _, digits, exponent = written.as_tuple()
    return len(digits) <= 15 and int(exponent) >= -_MOST_DECIMALS and abs(written) < _LARGEST_NUMBER


def can_spell(value: Any, backend: Backend) -> bool:
    """True if the backend's grammar of an enum writes each number of a value truly."""
    if isinstance(value, dict | list):
        return all(
            can_spell(one, backend)
            for one in (value.values() if isinstance(value, dict) else value)
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    if backend.spells_decimals:
        return _is_plain(value)
    return isinstance(value, float) or -(2**63) <= value < 2**63


def is_misprinted(value: Any, backend: Backend) -> bool:
    """True if a number of it is written with more digits than the schema has."""
    if isinstance(value, dict | list):
        values = value.values() if isinstance(value, dict) else value
        return any(is_misprinted(one, backend) for one in values)
    return (
        not backend.spells_decimals
        and isinstance(value, float)
        and Decimal(f"{value:.17g}") != Decimal(repr(value))
    )
