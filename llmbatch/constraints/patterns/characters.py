"""Sets of characters as ranges of code points, and the classes that patterns name.

The classes are those of ECMA 262, which JSON Schema names: `\\d` and `\\w` are ASCII, `\\s` has the
white space of Unicode, `.` is anything but the four ends of a line. Surrogates are in no set: no
answer can hold one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Range = tuple[int, int]
"""The first and the last code point."""

LAST = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of characters: sorted ranges that neither touch nor overlap, without surrogates."""

    ranges: tuple[Range, ...]

    @staticmethod
    def of(ranges: Iterable[Range]) -> "Characters":
        """The set of all these ranges, in any order."""
        return Characters(tuple(_joined(_without_surrogates(ranges))))

    @staticmethod
    def chosen(text: str) -> "Characters":
        """The set of the characters of a text."""
        return Characters.of((ord(each), ord(each)) for each in text)

    def __contains__(self, character: str) -> bool:
        code = ord(character)
        after = bisect_right(self.ranges, (code, LAST + 1))
        return after > 0 and code <= self.ranges[after - 1][1]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __or__(self, other: "Characters") -> "Characters":
        return Characters.of(self.ranges + other.ranges)

    def __invert__(self) -> "Characters":
        gaps, start = [], 0
        for first, last in self.ranges:
            gaps.append((start, first - 1))
            start = last + 1
        return Characters.of([*gaps, (start, LAST)])

    def __and__(self, other: "Characters") -> "Characters":
        return Characters.of(_common(self.ranges, other.ranges))

    def __sub__(self, other: "Characters") -> "Characters":
        return self & ~other

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def at(self, index: int) -> str:
        """The character with this number, from 0."""
        for first, last in self.ranges:
            if index <= last - first:
                return chr(first + index)
            index -= last - first + 1
        raise IndexError(index)

    def only(self) -> str | None:
        """The character of a set of one; else None."""
        if len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1]:
            return chr(self.ranges[0][0])
        return None


def _without_surrogates(ranges: Iterable[Range]) -> Iterator[Range]:
    low, high = SURROGATES
    for first, last in ranges:
        if last < low or first > high:
            yield first, last
            continue
        yield first, low - 1
        yield high + 1, last


def _joined(ranges: Iterable[Range]) -> Iterator[Range]:
    current: Range | None = None
    for first, last in sorted(each for each in ranges if each[0] <= each[1]):
        if current is None:
            current = (first, last)
        elif first <= current[1] + 1:
            current = (current[0], max(current[1], last))
        else:
            yield current
            current = (first, last)
    if current is not None:
        yield current


def _common(left: tuple[Range, ...], right: tuple[Range, ...]) -> Iterator[Range]:
    here = there = 0
    while here < len(left) and there < len(right):
        first = max(left[here][0], right[there][0])
        last = min(left[here][1], right[there][1])
        if first <= last:
            yield first, last
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1


NONE = Characters(())
ANY = ~NONE
NUL = Characters.chosen("\0")
LINE_ENDS = Characters.chosen("\n\r\u2028\u2029")
DIGITS = Characters.of([(0x30, 0x39)])
WORD = Characters.of([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
SPACES = Characters.chosen(
    " \t\n\v\f\r\xa0\u1680\u202f\u205f\u3000\ufeff\u2028\u2029"
) | Characters.of([(0x2000, 0x200A)])
NAMED = dict(zip("dwsDWS", (DIGITS, WORD, SPACES, ~DIGITS, ~WORD, ~SPACES), strict=True))
ESCAPED_IN_JSON = Characters.of([(0, 31), (ord('"'), ord('"')), (ord("\\"), ord("\\"))])
"""The characters that stand as an escape in a JSON string."""


@lru_cache(maxsize=4096)
def other_cases(characters: Characters) -> Characters:
    """The set with the other cases of its letters, as ECMA's flag `i` has them: an ASCII letter
    never equals one beyond ASCII (such as the Kelvin sign)."""
    folds = _folds()
    wanted = {upper for upper in folds if _touches(characters, folds[upper])}
    return Characters.of(
        [*characters.ranges, *((code, code) for upper in wanted for code in folds[upper])]
    )


def _touches(characters: Characters, codes: list[int]) -> bool:
    return any(chr(code) in characters for code in codes)


@lru_cache(maxsize=1)
def _folds() -> dict[int, list[int]]:
    """The letters that have more than one case, by their upper case."""
    groups: dict[int, list[int]] = {}
    for code in range(0x1F000):
        upper = chr(code).upper()
        single = len(upper) == 1 and not (code >= 128 and ord(upper) < 128)
        groups.setdefault(ord(upper) if single else code, []).append(code)
    return {upper: codes for upper, codes in groups.items() if len(codes) > 1}
