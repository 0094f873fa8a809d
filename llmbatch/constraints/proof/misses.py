"""Texts that differ in one thing from a value that keeps a schema; the check judges them."""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from llmbatch.constraints.proof import strings
from llmbatch.constraints.proof.writing import Spelled, decimal, write

_INSERTED = '"\\\n\t é\U0001f600aZ0-.'
_OTHERS: tuple[Any, ...] = (
    *(None, True, "", "x", Spelled("0"), Spelled("-1"), Spelled("0.5"), Spelled("1e30"), [], {}),
)
Place = tuple[Any, Any]
"""A container and a key or index in it."""


def misses(value: Any, patterns: list[str], chance: random.Random) -> Iterator[str]:
    """Some texts that differ from that of a value in one thing. `patterns`: of its schema."""
    for _ in range(4):
        box = [deepcopy(value)]
        places = list(_places(box))
        where, key = chance.choice(places)
        where[key] = _changed(where[key], patterns, chance)
        yield write(box[0])
    box = [deepcopy(value)]
    objects = [one for one in _containers(box[0]) if isinstance(one, dict)]
    if objects:
        yield _with_names_changed(box, chance.choice(objects), chance)
    yield from _broken_texts(write(value), chance)


def _places(box: Any) -> Iterator[Place]:
    for one in _containers(box):
        for key in one if isinstance(one, dict) else range(len(one)):
            yield one, key


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)


def _changed(value: Any, patterns: list[str], chance: random.Random) -> Any:
    if chance.random() < 0.25:
        return chance.choice(_OTHERS)
    for kind, change in _CHANGES.items():
        if isinstance(value, kind):
            return change(value, patterns, chance)
    return chance.choice(_OTHERS)


def _number(value: Spelled, patterns: list[str], chance: random.Random) -> Any:
    exact = decimal(value)
    if abs(exact.adjusted()) > 60:
        return Spelled("0")
    shifts = ("1", "-1", "0.5", "0.01", "-0.0001", "1000", "-1000", "0.0000001", "1e20", "-1e20")
    return Spelled(format(exact + decimal(chance.choice(shifts)), "f"))


def _string(value: str, patterns: list[str], chance: random.Random) -> Any:
    if patterns and chance.random() < 0.4:
        near = strings.near_misses(chance.choice(patterns))
        if near:
            return chance.choice(near)
    place = chance.randrange(len(value) + 1)
    before, after = value[:place], value[place:]
    ways = (
        *(value + chance.choice(_INSERTED), before + chance.choice(_INSERTED) + after),
        *(before + after[1:], value[:-1], value[1:], value.swapcase(), value + value, "", " "),
        *(before + chance.choice(_INSERTED) + after[1:], value + "x" * 50),
    )
    return chance.choice(ways)


def _array(value: list[Any], patterns: list[str], chance: random.Random) -> Any:
    if not value:
        return chance.choice([[None], ["x"], [Spelled("1")], {}])
    more = chance.choice(value)
    return chance.choice([value[:-1], value[1:], [*value, more], value * 8, [], value[::-1]])


def _object(value: dict[str, Any], patterns: list[str], chance: random.Random) -> Any:
    gone = chance.choice(list(value)) if value else None
    less = {name: part for name, part in value.items() if name != gone}
    return chance.choice([less, less, value | {"unknown": None}, value | {"zz": "x"}, {}])


def _with_names_changed(box: list[Any], one: dict[str, Any], chance: random.Random) -> str:
    items = list(one.items())
    one.clear()
    place = chance.randrange(len(items) + 1)
    renamed = {
        (name.swapcase() if index == place else name): part
        for index, (name, part) in enumerate(items)
    }
    one.update(renamed)
    return write(box[0])


def _broken_texts(text: str, chance: random.Random) -> Iterator[str]:
    """Texts that are no JSON, or that hold what readers of JSON refuse."""
    places = [n for n, character in enumerate(text) if character == '"']
    if places:
        place = chance.choice(places) + 1
        yield text[:place] + chance.choice("\t\x01\x1f\n\r") + text[place:]
        yield text[:place] + chance.choice(["\\ud800", "\\u0000", "\\x"]) + text[place:]
    if text.startswith('{"') and "," in text:
        end = text.index(",")
        yield "{" + text[1:end] + "," + text[1:]
    yield text[:-1]
    yield text + chance.choice(["\n", " ", ",", text])


_CHANGES: dict[type, Callable[[Any, list[str], random.Random], Any]] = {
    Spelled: _number,
    str: _string,
    list: _array,
    dict: _object,
}
