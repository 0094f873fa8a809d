"""Sets in square brackets."""

import re

from llmbatch.constraints.patterns.characters import Characters, Range, other_cases
from llmbatch.constraints.patterns.escapes import read_escape
from llmbatch.constraints.patterns.scanner import Scanner

_POSIX = re.compile(r"\[[:.=]\^?[A-Za-z]*[:.=]\]")
_PAIRS = r"""
alpha=A-Za-z digit=0-9 alnum=A-Za-z0-9 upper=A-Z lower=a-z space=\s xdigit=0-9A-Fa-f word=\w
blank=\t\x20 cntrl=\p{Cc} punct=!-\/:-@\[-`{-~ print=\x20-\x7e graph=!-~ ascii=\0-\x7f
"""
_POSIX_NAMES = dict(pair.split("=") for pair in _PAIRS.split())


def read_set(scanner: Scanner, *, any_case: bool) -> tuple[Characters, list[Range]]:
    """The characters of a set, and its ranges as they were written (which may be surrogates); the
    scanner stands on its bracket."""
    start = scanner.position
    scanner.take()
    negated = scanner.accept("^")
    if scanner.peek() == "]":
        return _read_empty(scanner, negated, start)
    ranges: list[Range] = []
    while not scanner.accept("]"):
        if scanner.ended():
            scanner.fail("the set has no end: write ] after it, or \\[ for a bracket", start)
        ranges += _read_member(scanner)
    characters = Characters.of(ranges)
    if any_case:
        characters = other_cases(characters)
    return (~characters, []) if negated else (characters, ranges)


def _read_empty(scanner: Scanner, negated: bool, start: int) -> tuple[Characters, list[Range]]:
    """`[^]` is any character and `[]` none to JavaScript; a bracket begins the set elsewhere."""
    scanner.take()
    if "]" in scanner.text[scanner.position :]:
        scanner.fail("a ] begins the set: write \\] for the bracket, [\\s\\S] for anything", start)
    return (~Characters(()) if negated else Characters(())), []


def _read_member(scanner: Scanner) -> list[Range]:
    start = scanner.position
    _refuse_operators(scanner)
    first = _read_item(scanner)
    if scanner.peek() != "-" or scanner.peek(2) in ("-]", "-"):
        return _ranges(first)
    if isinstance(first, Characters) and scanner.peek(2) == "--":
        scanner.fail(_difference(), scanner.position)
    scanner.take()
    last = _read_item(scanner)
    if isinstance(first, Characters) or isinstance(last, Characters):
        # As in JavaScript without the flag u: the hyphen stands for itself.
        return [*_ranges(first), (0x2D, 0x2D), *_ranges(last)]
    if first > last:
        if last == 0x2D:
            scanner.fail(_difference(), start)
        scanner.fail("the range runs backwards: write the lower character first", start)
    return [(first, last)]


def _read_item(scanner: Scanner) -> Characters | int:
    if scanner.accept("\\b"):
        return 8  # the backspace; beyond sets it is the edge of a word
    return read_escape(scanner) if scanner.peek() == "\\" else ord(scanner.take())


def _ranges(item: Characters | int) -> list[Range]:
    return list(item.ranges) if isinstance(item, Characters) else [(item, item)]


def _refuse_operators(scanner: Scanner) -> None:
    posix = _POSIX.match(scanner.text, scanner.position)
    if posix:
        name = posix[0].strip("[]:.=^")
        written = _POSIX_NAMES.get(name, "the characters as ranges")
        scanner.fail(f"{posix[0]} means different sets in different dialects: write {written}")
    if scanner.peek(2) == "&&":
        scanner.fail("&& means different sets in different dialects: write the set that is left")


def _difference() -> str:
    return "-- means different sets in different dialects: write the set that is left, or \\-"
