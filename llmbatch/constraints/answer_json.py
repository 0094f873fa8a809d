"""The one reading of an answer as JSON: exact numbers, no key twice, nothing a reader refuses."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from llmbatch.constraints.numbers import MOST_DIGITS, ExactDecimal, ExactInteger, NumberError
from llmbatch.constraints.schema_walk import Path, place

_LONG_NUMBER = re.compile(rf"[0-9]{{{MOST_DIGITS + 1}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE = re.compile("[\ud800-\udfff]")
# The strings and the numbers of a JSON text, in order.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')


class UnreadableError(ValueError):
    """A text is not JSON, or not such as every reader takes in the same way. Its message says why,
    to follow `the answer ...`, on one line."""


class _TwiceError(ValueError):
    """A key stands twice in an object."""


class _Twice:
    """An object in which a key stands twice."""

    def __init__(self, key: str) -> None:
        self.key = key


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _TwiceError
    return members


def _marked_object(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    for name, value in pairs:
        # A fault within a value that another one of the same name hides counts first.
        if isinstance(value, _Twice):
            return {name: value}
    if len(members) == len(pairs):
        return members
    names = [name for name, _ in pairs]
    return _Twice(next(name for name in names if names.count(name) > 1))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")


class _Numbered:
    """Reads a text in which every number gets its position among them."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, text: str) -> Any:
        decoder = json.JSONDecoder(
            parse_float=self._fraction,
            parse_int=self._integer,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
        return decoder.decode(text)

    def _fraction(self, text: str) -> ExactDecimal:
        number = ExactDecimal(text)
        number.order, self._count = self._count, self._count + 1
        return number

    def _integer(self, text: str) -> ExactInteger:
        number = ExactInteger(text)
        number.order, self._count = self._count, self._count + 1
        return number


_PLAIN = json.JSONDecoder(
    parse_float=ExactDecimal, parse_constant=_no_constant, object_pairs_hook=_object
)
_MARKING = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_marked_object)


def read(text: str, *, numbered: bool = False) -> Any:
    """The value of a JSON text. Numbers with a point or an exponent are `ExactDecimal`, integers
    are of any size; if `numbered`, all know their positions. Raises UnreadableError."""
    try:
        if numbered or (len(text) > MOST_DIGITS and _LONG_NUMBER.search(text)):
            value = _Numbered().read(text)
        else:
            value = _PLAIN.decode(text)
    except _TwiceError:
        raise UnreadableError(_twice(text)) from None
    except NumberError as error:
        raise UnreadableError(f"is not JSON that can be kept: {error}") from error
    except ValueError as error:
        raise UnreadableError(f"is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deep to be checked") from error
    return value


def _twice(text: str) -> str:
    path, twice = _find(_MARKING.decode(text), ())
    return f"has the key {twice.key[:80]!r} twice in the object at {place(path)}"


def _find(value: Any, path: Path) -> tuple[Path, _Twice]:
    """The place of the first object in which a key stands twice; there is one."""
    if isinstance(value, _Twice):
        return path, value
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for part, below in parts:
        if isinstance(below, dict | list | _Twice):
            try:
                return _find(below, (*path, part))
            except LookupError:
                continue
    raise LookupError


def require_characters(text: str, value: Any) -> None:
    """Raise UnreadableError for strings that hold what is no character. `value`: what the JSON
    text was read as."""
    escaped = "\\u" in text and _SURROGATE.search(text)
    if not escaped and (text.isascii() or not _LONE.search(text)):
        return
    for path, string in _strings(value, ()):
        if _LONE.search(string):
            raise UnreadableError(
                f"holds half of a surrogate pair, which is no character, at {place(path)}"
            )


def _strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every string of a value with its path, keys with that of their object."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield path, name
            yield from _strings(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _strings(below, (*path, index))


def rewritten(text: str, value: Any) -> str:
    """The JSON text `text` with those of its numbers replaced that are to be written otherwise;
    `value`: what it was read as, numbered. All else stays, byte for byte."""
    changes = {
        number.order: number.written for number in _numbers(value) if number.written is not None
    }
    if not changes:
        return text
    count = -1

    def replaced(token: re.Match[str]) -> str:
        nonlocal count
        if token[0].startswith('"'):
            return token[0]
        count += 1
        return changes.get(count, token[0])

    return _TOKEN.sub(replaced, text)


def _numbers(value: Any) -> Iterator[ExactDecimal | ExactInteger]:
    if isinstance(value, ExactDecimal | ExactInteger):
        yield value
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _numbers(below)
