"""JSON records, read and written without changing a digit.

orjson is fast but turns `1.10` into 1.1 and a 30-digit integer into a float. The functions here
use it wherever it cannot alter a value, and take a slower, exact path for the rest.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import orjson

# A number that orjson may alter, where a JSON value can stand: one with a fraction or an
# exponent, one of 19 digits or more (64 bits may not hold it), or a negative zero. Text inside
# strings can match too, which costs time and nothing else.
_INEXACT = re.compile(r"[:,\[]\s*(?:-?[0-9]+[.eE]|-?[0-9]{19}|-0)")

# The types of values that hold no number.
_TEXTS = frozenset({str, bool, type(None)})
_TEXTS_AND_INTEGERS = _TEXTS | {int}

# `Json` is for `_written` to handle, not for orjson, which writes dataclasses as objects.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS


class ExactFloat(float):
    """A float that remembers how it was written: `str()`, `repr()` and `{}` give the source text.

    Arithmetic, comparison and formats such as `{:.1f}` use the number.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """The number written as `text`; ValueError when it is none."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        """The arguments from which copy and pickle build it."""
        return (self.text,)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else self.text


@dataclass(frozen=True, slots=True)
class Json:
    """JSON text that is to be written as it is, not as a string."""

    text: str


def parse_record(data: str) -> dict[str, Any]:
    """The JSON object written in `data`, with every value as it is written, at any depth.

    Integers of any size are exact, other numbers are `ExactFloat`. Of a key that stands twice the
    last value counts. Raises ValueError when `data` is not a JSON object.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson also refuses some valid numbers.
        if _INEXACT.search(data) is None:
            raise
        value = None
    # Searching the text costs more than parsing it, and most records need none.
    if type(value) is dict and _is_exact(value, data):
        return value
    if _INEXACT.search(data) is not None:
        value = json.loads(data, parse_float=ExactFloat, parse_int=_integer, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _is_exact(record: dict[str, Any], data: str) -> bool:
    """True if orjson has altered nothing, judged by the types of the values: an integer that it
    cannot hold becomes a float, and only a negative zero becomes another integer."""
    kinds = set(map(type, record.values()))
    if kinds <= _TEXTS:
        return True
    return kinds <= _TEXTS_AND_INTEGERS and ("-0" not in data or 0 not in record.values())


def _integer(text: str) -> int | ExactFloat:
    """An integer; `-0` has no integer that keeps its sign."""
    return ExactFloat(text) if text == "-0" else int(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def dump_record(value: Any) -> str:
    """`value` as compact JSON on one line; numbers keep their source text or their digits.

    Raises TypeError for a value that JSON cannot hold.
    """
    try:
        return orjson.dumps(value, default=_written, option=_OPTIONS).decode()
    except TypeError:
        return orjson.dumps(_fragments(value), default=_written, option=_OPTIONS).decode()


def _written(value: Any) -> orjson.Fragment:
    """The source text of a number that orjson does not know."""
    if isinstance(value, ExactFloat):
        return orjson.Fragment(value.text)
    if isinstance(value, Json):
        return orjson.Fragment(one_line(value.text))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _fragments(value: Any) -> Any:
    """`value` with the integers that 64 bits cannot hold replaced by their digits."""
    if isinstance(value, dict):
        return {key: _fragments(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fragments(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def cell(value: Any) -> str:
    """`value` as it stands in a table cell: text as it is, None empty, the rest as JSON.

    Shapes: `true`, `12`, `1.10`, `{"a":1}`.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Json):
        return value.text
    return dump_record(value)


def splice(data: str, extra: Mapping[str, str]) -> str:
    """The JSON object written in `data` with members added at its end, on one line.

    `extra` maps a name to JSON text. The text of `data` stays as it is, byte for byte; only its
    last brace moves. A name that `data` has already would stand twice: avoid it beforehand.
    Raises ValueError when `data` does not end like an object.
    """
    members = ",".join(f"{dump_record(name)}:{one_line(text)}" for name, text in extra.items())
    return with_member(data, members)


def with_member(data: str, members: str) -> str:
    """The same with members that are written already, on one line; none is the empty text."""
    whole = data.strip()
    if not (whole.startswith("{") and whole.endswith("}")):
        raise ValueError("not a JSON object")
    if not members:
        return whole
    head = whole[:-1]
    comma = "" if head.rstrip().endswith("{") else ","
    return f"{head}{comma}{members}}}"


def one_line(text: str) -> str:
    """JSON text without line breaks; inside its strings they are escaped, so no value changes."""
    if "\n" in text or "\r" in text:
        return text.replace("\r", " ").replace("\n", " ")
    return text


def columns_of(data: str) -> list[str]:
    """The keys of the JSON object written in `data`, in order."""
    return list(orjson.loads(data))
