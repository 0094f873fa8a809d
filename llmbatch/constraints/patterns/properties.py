"""The properties of Unicode that a pattern may name: categories, common scripts, emoji."""

import sys
import unicodedata
from functools import lru_cache

from llmbatch.constraints.patterns.characters import ANY, DIGITS, Characters
from llmbatch.constraints.patterns.property_ranges import RANGES

_PAIRS = """
Letter:L Cased_Letter:LC Uppercase_Letter:Lu Lowercase_Letter:Ll Titlecase_Letter:Lt
Modifier_Letter:Lm Other_Letter:Lo Mark:M Nonspacing_Mark:Mn Spacing_Mark:Mc Enclosing_Mark:Me
Number:N Decimal_Number:Nd digit:Nd Letter_Number:Nl Other_Number:No Punctuation:P punct:P
Connector_Punctuation:Pc Dash_Punctuation:Pd Open_Punctuation:Ps Close_Punctuation:Pe
Initial_Punctuation:Pi Final_Punctuation:Pf Other_Punctuation:Po Symbol:S Math_Symbol:Sm
Currency_Symbol:Sc Modifier_Symbol:Sk Other_Symbol:So Separator:Z Space_Separator:Zs
Line_Separator:Zl Paragraph_Separator:Zp Other:C Control:Cc cntrl:Cc Format:Cf Unassigned:Cn
Private_Use:Co
"""
_LONG_NAMES = dict(pair.split(":") for pair in _PAIRS.split())
_PREFIXES = ("General_Category=", "gc=", "general_category=")
_SCRIPTS = ("Script=", "sc=")
_CASED = {"Lu", "Ll", "Lt"}


def find_property(name: str) -> Characters | None:
    """The characters of a property by its short or long name; None if it is not known."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    special = {
        "Any": ANY,
        "ASCII": Characters.of([(0, 127)]),
        "ASCII_Hex_Digit": DIGITS | Characters.chosen("abcdefABCDEF"),
    }
    if name in special:
        return special[name]
    for prefix in _SCRIPTS:
        if (listed := RANGES.get(name.removeprefix(prefix))) is not None:
            return _listed(listed)
    return _categories().get(_LONG_NAMES.get(name, name))


def _listed(ranges: str) -> Characters:
    """The characters of ranges such as `a9 1f600-1f64f`."""
    ends = [each.partition("-") for each in ranges.split()]
    return Characters.of((int(first, 16), int(last or first, 16)) for first, _, last in ends)


@lru_cache(maxsize=1)
def _categories() -> dict[str, Characters]:
    """The characters of each general category, and of each group of them."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    start, current = 0, unicodedata.category("\0")
    for code in range(1, sys.maxunicode + 2):
        category = unicodedata.category(chr(code)) if code <= sys.maxunicode else ""
        if category != current:
            for key in _keys(current):
                ranges.setdefault(key, []).append((start, code - 1))
            start, current = code, category
    return {key: Characters.of(found) for key, found in ranges.items() if key != "Cs"}


def _keys(category: str) -> list[str]:
    return [category, category[0], *(["LC"] if category in _CASED else [])]
