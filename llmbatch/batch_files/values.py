"""The values of parameters in a body: their types and bounds, with one sentence for each fault."""

import math
from collections.abc import Callable
from typing import Any

from llmbatch.batch_files.lines import BodyError

Read = Callable[[str, Any], Any]
"""Reads the value of a parameter, by its name; raises BodyError."""

INT31, INT63 = 2**31 - 1, 2**63 - 1
_SHOWN = 60


def shown(value: Any) -> str:
    """A value in a message."""
    return repr(value)[:_SHOWN]


def number(low: float, high: float = math.inf, *, above: bool = False) -> Read:
    """A number from `low` to `high`; `above`: and not `low` itself."""

    def read(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BodyError(f"{name}: must be a number (got {shown(value)})", name)
        found = float(value)
        if not (low <= found <= high) or (above and found <= low) or not math.isfinite(found):
            raise BodyError(f"{name}: must be {_range(low, high, above=above)} (got {value})", name)
        return found

    return read


def integer(low: int, high: int = INT31) -> Read:
    """A whole number from `low` to `high`."""

    def read(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise BodyError(f"{name}: must be a whole number (got {shown(value)})", name)
        if not low <= value <= high:
            raise BodyError(f"{name}: must be {_range(low, high)} (got {value})", name)
        return value

    return read


def _range(low: float, high: float, *, above: bool = False) -> str:
    if high in (math.inf, INT31, INT63):
        return f"above {low}" if above else f"at least {low}"
    return f"above {low} and at most {high}" if above else f"from {low} to {high}"


def boolean(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BodyError(f"{name}: must be true or false (got {shown(value)})", name)
    return value


def text(name: str, value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise BodyError(f"{name}: must be a text (got {shown(value)})", name)
    return value


def texts(name: str, value: Any) -> list[str]:
    """A text, or a list of texts; none of them empty."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise BodyError(f"{name}: must be a text or a list of texts (got {shown(value)})", name)
    if not all(given):
        raise BodyError(f"{name}: a text in it is empty", name)
    return given


def integers(name: str, value: Any) -> list[int]:
    """A list of token numbers."""
    if not isinstance(value, list):
        raise BodyError(f"{name}: must be a list of token numbers (got {shown(value)})", name)
    read = integer(0)
    return [read(name, each) for each in value]


def biases(name: str, value: Any) -> list[list[float]]:
    """A bias for each of some tokens, by their numbers: pairs, in ascending order."""
    if not isinstance(value, dict):
        raise BodyError(f"{name}: must be an object of token numbers (got {shown(value)})", name)
    pairs = []
    read = number(-100, 100)
    for token, bias in value.items():
        if not (isinstance(token, str) and token.isascii() and token.isdigit()):
            raise BodyError(f"{name}: {token[:_SHOWN]!r} is no number of a token", name)
        pairs.append([int(token), read(name, bias)])
    return sorted(pairs)
