"""The answers of a row's samples, counted.

Two samples vote for one answer if they are one JSON value, where answers have a schema (the order
of properties, white space, and the way a number is written do not matter), or else if they are one
text without white space at its ends.
"""

import json
from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Any


def ranked(answers: Sequence[str | None], *, is_json: bool) -> list[list[int]]:
    """The samples (from 0) that gave each answer, the answer with most votes first, of equal ones
    that of the earliest sample. A sample that has failed (None) gives no vote."""
    tally: dict[Hashable, list[int]] = {}
    for number, answer in enumerate(answers):
        if answer is not None:
            tally.setdefault(value_of(answer, is_json=is_json), []).append(number)
    return sorted(tally.values(), key=len, reverse=True)  # stable: of equal ones the earliest


def value_of(answer: str, *, is_json: bool) -> Hashable:
    """The value by which answers are compared: two that have the same vote for one."""
    if not is_json:
        return answer.strip()
    try:
        return canonical(json.loads(answer, parse_float=Decimal, parse_int=Decimal))
    except (ValueError, ArithmeticError, RecursionError):
        return answer.strip()


def canonical(value: Any) -> Hashable:
    """A JSON value that equals another one if the two are the same; 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, canonical(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(canonical, value))
    return type(value).__name__, value
