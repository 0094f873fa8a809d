"""Texts that a pattern allows, and texts that it nearly allows."""

import random
import re
from collections.abc import Callable, Iterator

from llmbatch.constraints.patterns.characters import Characters
from llmbatch.constraints.patterns.syntax import Chars, Choice, Node, Repeat, Sequence
from llmbatch.constraints.patterns.translate import Pattern

_TELLING = "aZ0 -_.@\"\\/'\n\r\t\u2028\x7f\u00a0éß\u017f\u0130日\u0661\U0001f600"
"""Characters that grammars and checks are known to treat in ways of their own."""

_LONGEST = 400  # characters that a text has of its own will, at most
_TRIES = 20  # tries for each text that is wanted
_EXTRA = (0, 1, 2, 5, 12, 40)  # repetitions beyond the fewest


def members(pattern: Pattern, count: int, seed: int = 0) -> list[str]:
    """Up to so many different texts that the check takes, of all lengths, the same for a seed."""
    chance = random.Random(seed)
    accepts = re.compile(pattern.check).fullmatch
    found: dict[str, None] = {}
    for number in range(count * _TRIES):
        text = "".join(_Maker(chance, _EXTRA[number % len(_EXTRA)]).make(pattern.parts))
        if accepts(text):
            found[text] = None
        if len(found) == count:
            break
    return list(found)


def near_misses(pattern: Pattern, count: int, seed: int = 0) -> list[str]:
    """Up to so many different texts that are one edit away from such texts, and that the check
    refuses; the same for a seed. There are none if the pattern takes any text."""
    chance = random.Random(seed)
    accepts = re.compile(pattern.check).fullmatch
    origins = members(pattern, max(count, 8), seed)
    found: dict[str, None] = {}
    for number in range(count * _TRIES if origins else 0):
        text = chance.choice(_EDITS)(origins[number % len(origins)], chance)
        if not accepts(text):
            found[text] = None
        if len(found) == count:
            break
    return list(found)


class _Maker:
    """Makes one text of the parts of a pattern that hold no assertions."""

    def __init__(self, chance: random.Random, extra: int) -> None:
        self._chance = chance
        self._extra = extra
        self._length = 0

    def make(self, node: Node) -> Iterator[str]:
        if isinstance(node, Chars):
            self._length += 1
            yield self._draw(node.characters)
        elif isinstance(node, Sequence):
            for each in node.items:
                yield from self.make(each)
        elif isinstance(node, Choice):
            yield from self.make(self._chance.choice(node.items))
        elif isinstance(node, Repeat):
            for _ in range(self._count(node)):
                yield from self.make(node.item)

    def _count(self, node: Repeat) -> int:
        extra = self._extra if self._length < _LONGEST else 0
        most = node.least + extra if node.most is None else min(node.most, node.least + extra)
        if node.most is not None and extra == max(_EXTRA) and node.most <= _LONGEST:
            return node.most
        return self._chance.randint(node.least, most)

    def _draw(self, characters: Characters) -> str:
        telling = [each for each in _TELLING if each in characters]
        if telling and self._chance.random() < 0.5:
            return self._chance.choice(telling)
        if self._chance.random() < 0.8:
            plain = characters & Characters.of([(32, 126)])
            characters = plain or characters
        return characters.at(self._chance.randrange(len(characters)))


def _without(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + text[place + 1 :]


def _with(text: str, chance: random.Random) -> str:
    place = chance.choice([0, len(text), chance.randrange(len(text) + 1)])
    return text[:place] + chance.choice(_TELLING) + text[place:]


def _changed(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(_TELLING) + text[place + 1 :]


def _doubled(text: str, chance: random.Random) -> str:
    return text + text[chance.randrange(len(text) + 1) :]


def _cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _recased(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + text[place : place + 1].swapcase() + text[place + 1 :]


_EDITS: list[Callable[[str, random.Random], str]] = [
    _without,
    _with,
    _changed,
    _doubled,
    _cut,
    _recased,
]
