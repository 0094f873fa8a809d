"""Texts and patterns for the tests: grammars read by Python, and patterns made at random."""

import itertools
import re

from hypothesis import strategies

_CODE = re.compile(r"\\u\{([0-9a-f]+)\}")

LETTERS = "ab-\n"
TEXTS = ["".join(each) for size in range(4) for each in itertools.product(LETTERS, repeat=size)]
"""Every text of up to three of these characters."""


def as_python(grammar: str) -> str:
    """A grammar's source as Python reads it."""
    return _CODE.sub(lambda found: f"\\U{int(found[1], 16):08x}", grammar)


def language(source: str) -> set[str]:
    """The short texts that are members."""
    compiled = re.compile(source)
    return {text for text in TEXTS if compiled.fullmatch(text)}


_ATOMS = ["a", "b", "-", "ab", "[ab]", "[^a]", r"[^\n-]", ".", r"\w", r"\W", "(?:)", r"\n"]
_EDGES = ["^", "$", r"\b", r"\B", "(?=a)", "(?![b-])", "(?<=a)", r"(?<!\n)"]
_LOOKS = [
    "(?=.*b)",
    "(?!.*--)",
    "(?!ab|b-)",
    "(?<=ab)",
    "(?<!-b)",
    "(?=a$)",
    "(?!^-)",
    "(?=(?!aa)a*b)",
]
_COUNTS = ["*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?", "{2,}"]


def patterns(*, looks: bool) -> strategies.SearchStrategy[str]:
    """Patterns in which ECMA 262 and Python agree on the short texts, but for `$`."""
    edges = strategies.sampled_from(_EDGES + (_LOOKS if looks else []))
    atoms = strategies.sampled_from(_ATOMS) | edges

    def larger(smaller: strategies.SearchStrategy[str]) -> strategies.SearchStrategy[str]:
        groups = smaller.map("(?:{})".format)
        return (
            strategies.lists(smaller | groups, min_size=1, max_size=4).map("".join)
            | strategies.lists(smaller, min_size=2, max_size=3).map("|".join).map("({})".format)
            | strategies.tuples(groups, strategies.sampled_from(_COUNTS)).map("".join)
        )

    return strategies.recursive(atoms, larger, max_leaves=8)
