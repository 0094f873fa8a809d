"""Escapes: a backslash and what follows it, in a set and outside."""

import re

from llmbatch.constraints.patterns.characters import NAMED, SURROGATES, Characters
from llmbatch.constraints.patterns.properties import find_property
from llmbatch.constraints.patterns.scanner import Scanner

_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_HEX = re.compile(r"[0-9A-Fa-f]+")
# The letters that mean one thing in one dialect and another, or nothing, in the next.
_REFUSED = {
    "a": "\\a is a bell to one dialect and a letter to another: write \\x07 or a",
    "e": "\\e is an escape character to one dialect and a letter to another: write \\x1b or e",
    "h": "\\h is known to few dialects: write [ \\t]",
    "R": "\\R is known to few dialects: write (?:\\r\\n|[\\r\\n])",
    "N": "\\N is known to few dialects: write [^\\n], or the character as \\u{...}",
    "X": "\\X is known to few dialects: write the characters that it stands for",
    "K": "\\K is not supported: write the pattern for the whole answer",
    "G": "\\G is not supported: leave it out",
    "Q": "\\Q...\\E is not supported: write a backslash before each special character",
    "E": "\\Q...\\E is not supported: write a backslash before each special character",
    "k": "a back-reference is not supported: write the group's pattern again",
}
_DIGITS_OF = {"x": 2, "u": 4, "U": 8}


def read_escape(scanner: Scanner) -> Characters | int:
    """The set, or the code point, of an escape; the scanner stands on its backslash.

    A code point may be a surrogate, of which the caller decides.
    """
    start = scanner.position
    scanner.take()
    if scanner.ended():
        scanner.fail("a backslash stands at the end: write \\\\ for a backslash", start)
    letter = scanner.take()
    if letter in NAMED:
        scanner.ambiguous = True
        return NAMED[letter]
    if letter in "pP":
        return _read_property(scanner, letter == "P", start)
    if letter in _DIGITS_OF:
        return _read_code(scanner, letter, start)
    if letter == "c":
        return _read_control(scanner, start)
    return _read_sign(scanner, letter, start)


def _read_sign(scanner: Scanner, letter: str, start: int) -> int:
    if letter in _CONTROLS:
        return ord(_CONTROLS[letter])
    if letter.isascii() and letter.isdigit():
        return _read_digit(scanner, letter, start)
    if letter.isascii() and letter.isalpha():
        known = _REFUSED.get(letter, f"\\{letter} has no meaning: write {letter} for the letter")
        scanner.fail(known, start)
    return ord(letter)


def _read_property(scanner: Scanner, negated: bool, start: int) -> Characters:
    name = scanner.until("}", "\\p{") if scanner.accept("{") else scanner.take()
    found = find_property(name.removeprefix("^"))
    if found is None:
        scanner.fail(
            f"the property {name!r} is not known: write the characters as ranges, such as "
            "[\\u0370-\\u03ff]",
            start,
        )
    return ~found if negated != name.startswith("^") else found


def _read_code(scanner: Scanner, letter: str, start: int) -> int:
    if letter != "U" and scanner.accept("{"):
        digits = scanner.until("}", f"\\{letter}{{")
    else:
        digits = scanner.take(_DIGITS_OF[letter])
        if len(digits) < _DIGITS_OF[letter]:
            digits = ""
    if not _HEX.fullmatch(digits) or int(digits, 16) > 0x10FFFF:
        scanner.fail(
            f"\\{letter} needs the hexadecimal digits of a character, as in \\u00e9", start
        )
    code = int(digits, 16)
    if SURROGATES[0] <= code < 0xDC00:
        return _with_second_half(scanner, code)
    return code


def _with_second_half(scanner: Scanner, high: int) -> int:
    """Two escapes may be the halves of one character, as JavaScript writes it."""
    follows = re.match(r"\\u(?:\{(d[c-f]..)\}|(d[c-f]..))", scanner.peek(8), re.IGNORECASE)
    digits = follows and (follows[1] or follows[2])
    if not follows or not digits or not _HEX.fullmatch(digits):
        return high
    scanner.take(follows.end())
    return 0x10000 + (high - 0xD800) * 0x400 + int(digits, 16) - 0xDC00


def _read_control(scanner: Scanner, start: int) -> int:
    letter = scanner.take()
    if not (letter.isascii() and letter.isalpha()):
        scanner.fail("\\c needs a letter after it, as in \\cJ", start)
    return ord(letter.upper()) - 64


def _read_digit(scanner: Scanner, digit: str, start: int) -> int:
    if digit != "0":
        scanner.fail("a back-reference is not supported: write the group's pattern again", start)
    follows = scanner.peek()
    if follows.isascii() and follows.isdigit():
        scanner.fail("octal digits are not supported: write \\x and two digits", start)
    return 0
