"""The values that a job may hold: those that can be kept with it and given to an engine.

A job is kept as JSON in its store, and its texts reach files, templates and tokenizers. TOML and
the command line can hold more than that: dates, infinities, integers of any size, bytes that are
no text. What cannot be kept is refused before anything is begun.
"""

import math
from collections.abc import Iterator
from typing import Any

# As deep as the JSON libraries write again, with room for what a job puts around it.
MAX_DEPTH = 100

Location = tuple[str, ...]
Fault = tuple[Location, str]


def faults(value: Any, where: Location = ()) -> Iterator[Fault]:
    """The values that a job, or a part of it, may not hold: their locations and what is wrong."""
    if len(where) > MAX_DEPTH:
        yield where[:2], f"is nested deeper than {MAX_DEPTH} levels"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if (wrong := _text(key)) is not None:
                yield where, f"the key {key!r} {wrong}"
            else:
                yield from faults(inner, (*where, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from faults(inner, (*where, str(number)))
    elif (wrong := _fault(value, in_schema=where[:2] == ("answer", "schema"))) is not None:
        yield where, wrong


def _fault(value: Any, *, in_schema: bool) -> str | None:
    """The fault of a value that holds no others; None if it has none."""
    if isinstance(value, str):
        if "\0" in value and not in_schema:
            return "holds a NUL character"
        return _text(value)
    # A schema may well bound what a program keeps in 64 bits without a sign.
    if isinstance(value, int) and not -(2**63) <= value < 2 ** (64 if in_schema else 63):
        return "is an integer beyond 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number (got {value})"
    if value is None or isinstance(value, bool | int | float):
        return None
    return f"is a date or time, which has to stand in quotes (got {value})"


def _text(text: str) -> str | None:
    """The fault of a string that is no text. A byte of the command line that is no UTF-8, and half
    a pair of surrogates that JSON wrote with `\\u`, both stand in it as a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is not Unicode text: character {error.start + 1} is {text[error.start]!r}"
    return None
