"""The parser of patterns, as JavaScript (ECMA 262), Python and Rust write them.

What only one of them knows is read where the others refuse it; what they read in different ways is
refused, with its place and what to write.
"""

import re

from llmbatch.constraints.patterns.characters import (
    ANY,
    LINE_ENDS,
    NONE,
    SURROGATES,
    WORD,
    Characters,
    Range,
    other_cases,
)
from llmbatch.constraints.patterns.escapes import read_escape
from llmbatch.constraints.patterns.scanner import Scanner
from llmbatch.constraints.patterns.sets import read_set
from llmbatch.constraints.patterns.syntax import (
    EMPTY,
    Chars,
    Edge,
    Look,
    Node,
    choice,
    repeat,
    sequence,
)

MOST_REPEATS = 1_000_000
_QUANTIFIERS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_PYTHON_COUNT = re.compile(r"\{,\d+\}")
_NAMED_GROUP = re.compile(r"P?<[^\W\d]\w*>")
_FLAGS = re.compile(r"([A-Za-z]*)(?:-([A-Za-z]*))?([:)])")
_LOOKS = {"?=": (False, False), "?!": (False, True), "?<=": (True, False), "?<!": (True, True)}
_BACK_REFERENCE = "a back-reference is not supported: write the group's pattern again"
_REFUSED_GROUPS = {
    "?P=": _BACK_REFERENCE,
    "?P>": "a call of a group is not supported: write the group's pattern again",
    "?(": "a condition is not supported: write both cases as alternatives",
    "?|": "(?| is not supported: write (?:",
    "?'": "a group named in quotes is not supported: write (?:",
    "?&": "a call of a group is not supported: write the group's pattern again",
    "?R": "a recursion is not supported",
    "*": "a verb is not supported: leave it out, or write \\* for the character",
}


class Parser:
    """Reads one pattern."""

    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._flags: frozenset[str] = frozenset()

    def parse(self) -> Node:
        """The whole pattern."""
        node = self._choice()
        if not self._scanner.ended():
            self._scanner.fail("a ) closes no group: write \\) for the character")
        return node

    def differs_from_python(self) -> bool:
        """True if what was read may mean another language to Python's `re`."""
        return self._scanner.ambiguous

    def _choice(self) -> Node:
        alternatives = [self._sequence()]
        while self._scanner.accept("|"):
            alternatives.append(self._sequence())
        return choice(alternatives)

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while not self._scanner.ended() and self._scanner.peek() not in "|)":
            if "x" in self._flags and self._skipped():
                continue
            start = self._scanner.position
            parts.append(self._quantified(self._atom(), start))
        return sequence(parts)

    def _skipped(self) -> bool:
        """White space and comments mean nothing under the flag x."""
        if self._scanner.peek() == "#":
            line = re.compile(r"[^\n]*").match(self._scanner.text, self._scanner.position)
            self._scanner.take(len(line[0]) if line else 0)
            return True
        return bool(self._scanner.peek().isspace() and self._scanner.take())

    def _atom(self) -> Node:
        scanner, start = self._scanner, self._scanner.position
        character = scanner.peek()
        if character == "(":
            return self._group()
        if character == "[":
            return self._set(start)
        if character == "\\":
            return self._escape(start)
        scanner.take()
        return self._plain(character, start)

    def _plain(self, character: str, start: int) -> Node:
        if character == ".":
            self._scanner.ambiguous |= "s" not in self._flags
            return Chars(ANY if "s" in self._flags else ~LINE_ENDS)
        if character in "^$":
            return self._line_edge(behind=character == "^", position=start)
        self._refuse_counts(character, start)
        return self._character(ord(character), start)

    def _refuse_counts(self, character: str, start: int) -> None:
        scanner = self._scanner
        if character in "*+?" or (character == "{" and _COUNT.match(scanner.text, start)):
            scanner.fail(f"nothing stands before {character}: write \\{character}", start)
        if character == "{" and _PYTHON_COUNT.match(scanner.text, start):
            scanner.fail("{,n} is a count to Python and text to others: write {0,n} or \\{", start)

    def _character(self, code: int, start: int) -> Node:
        if SURROGATES[0] <= code <= SURROGATES[1]:
            return self._surrogate([(code, code)], start)
        return Chars(self._cased(Characters.of([(code, code)])))

    def _cased(self, characters: Characters) -> Characters:
        if "i" not in self._flags:
            return characters
        self._scanner.ambiguous = True
        return other_cases(characters)

    def _line_edge(self, *, behind: bool, position: int) -> Node:
        self._scanner.ambiguous |= "m" in self._flags
        lines = LINE_ENDS if "m" in self._flags else NONE
        return Edge(behind, lines, bare=True, position=position)

    def _set(self, start: int) -> Node:
        characters, written = read_set(self._scanner, any_case="i" in self._flags)
        if not characters and written:
            return self._surrogate(written, start)
        return Chars(characters)

    def _escape(self, start: int) -> Node:
        scanner = self._scanner
        letter = scanner.peek(2)[1:]
        if letter and letter in "AZzbB":
            scanner.take(2)
            scanner.ambiguous |= letter in "bB"
            return _assertion(letter, start)
        found = read_escape(scanner)
        if isinstance(found, Characters):
            return Chars(self._cased(found))
        return self._character(found, start)

    def _surrogate(self, high: list[Range], start: int) -> Node:
        """A half of a character, with the half that must follow it."""
        scanner = self._scanner
        low: list[Range] = []
        if scanner.peek() == "[":
            low = read_set(scanner, any_case=False)[1]
        elif scanner.peek() == "\\":
            found = read_escape(scanner)
            low = [(found, found)] if isinstance(found, int) else []
        halves = [each for each in high if each[0] >= 0xD800 and each[1] < 0xDC00]
        seconds = [each for each in low if each[0] >= 0xDC00 and each[1] <= 0xDFFF]
        if halves != high or not seconds or seconds != low:
            scanner.fail("half a character, or no UTF-8: write the character as \\u{...}", start)
        return Chars(Characters.of(_whole_characters(halves, seconds)))

    def _group(self) -> Node:
        scanner, start = self._scanner, self._scanner.position
        scanner.take()
        outer = self._flags
        for opening, (behind, negative) in _LOOKS.items():
            if scanner.accept(opening):
                inner = self._closed(outer, start)
                return Look(behind, negative, inner, start)
        for opening, reason in _REFUSED_GROUPS.items():
            if scanner.peek(len(opening)) == opening:
                scanner.fail(reason, start)
        if scanner.accept("?#"):
            scanner.until(")", "the comment")
            return EMPTY
        if scanner.accept("?>"):
            return self._atomic(self._closed(outer, start), start)
        if not scanner.accept("?"):
            return self._closed(outer, start)
        named = _NAMED_GROUP.match(scanner.text, scanner.position)
        if named:
            scanner.take(len(named[0]))
            return self._closed(outer, start)
        return self._flagged(outer, start)

    def _closed(self, outer: frozenset[str], start: int) -> Node:
        node = self._choice()
        if not self._scanner.accept(")"):
            self._scanner.fail(
                "the group has no end: write ) after it, or \\( for a bracket", start
            )
        self._flags = outer
        return node

    def _flagged(self, outer: frozenset[str], start: int) -> Node:
        found = _FLAGS.match(self._scanner.text, self._scanner.position)
        if not found:
            self._scanner.fail("the group is of no known kind: write (?: or \\(", start)
        on, off, end = found[1], found[2] or "", found[3]
        unknown = set(on + off) - set("imsxa")
        if unknown:
            self._scanner.fail(f"the flag {min(unknown)} is not supported: leave it out", start)
        self._scanner.take(len(found[0]))
        self._flags = (outer | frozenset(on)) - frozenset(off)
        return EMPTY if end == ")" else self._closed(outer, start)

    def _atomic(self, node: Node, start: int) -> Node:
        if not isinstance(node, Chars) and node != EMPTY:
            self._scanner.fail("an atomic group is not supported: write (?: in its place", start)
        return node

    def _quantified(self, node: Node, start: int) -> Node:
        scanner, place = self._scanner, self._scanner.position
        counts = self._counts()
        if counts is None:
            return node
        lazy, possessive = scanner.accept("?"), scanner.accept("+")
        if self._counts() is not None:
            scanner.fail("a repetition of a repetition: write a group around the first", place)
        if possessive and not lazy:
            return self._possessive(node, counts, place)
        return repeat(node, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        scanner, place = self._scanner, self._scanner.position
        if scanner.peek() in _QUANTIFIERS and not scanner.ended():
            return _QUANTIFIERS[scanner.take()]
        found = _COUNT.match(scanner.text, place)
        if not found:
            return None
        scanner.take(len(found[0]))
        least = int(found[1])
        most = least if not found[2] else int(found[3]) if found[3] else None
        if max(least, most or 0) > MOST_REPEATS:
            scanner.fail(f"no engine can count so far: at most {MOST_REPEATS:,} repetitions", place)
        if most is not None and least > most:
            scanner.fail(f"the counts run backwards: write {{{most},{least}}}", place)
        return least, most

    def _possessive(self, node: Node, counts: tuple[int, int | None], place: int) -> Node:
        """A repetition that gives nothing back: where it stops short, no other one may follow."""
        least, most = counts
        if not isinstance(node, Chars):
            self._scanner.fail("a possessive repetition is not supported: leave its + out", place)
        stop = Edge(False, ~node.characters, bare=True, position=place)
        if most is None:
            return sequence([repeat(node, least, None), stop])
        if least == most:
            return repeat(node, least, most)
        shorter = sequence([repeat(node, least, most - 1), stop])
        return choice([shorter, repeat(node, most, most)])


def _assertion(letter: str, position: int) -> Node:
    def edge(behind: bool, characters: Characters, bare: bool) -> Edge:
        return Edge(behind, characters, bare, position)

    if letter == "A":
        return edge(True, NONE, True)
    if letter in "Zz":
        return edge(False, NONE, True)
    inside, outside = (WORD, False), (~WORD, True)
    pairs = [(inside, outside), (outside, inside)]
    if letter == "B":
        pairs = [(inside, inside), (outside, outside)]
    return choice(sequence([edge(True, *before), edge(False, *after)]) for before, after in pairs)


def _whole_characters(highs: list[Range], lows: list[Range]) -> list[Range]:
    bases = [
        0x10000 + (high - 0xD800) * 0x400
        for first, last in highs
        for high in range(first, last + 1)
    ]
    return [(base + low[0] - 0xDC00, base + low[1] - 0xDC00) for base in bases for low in lows]
