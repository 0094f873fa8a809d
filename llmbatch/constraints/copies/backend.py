"""The backends of an engine, each with the parts of a schema that it can hold.

Found by trying xgrammar 0.2.8 and llguidance 1.7.6, each as vLLM 0.32 asks it; the tests try all
of it again.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend by its name in vLLM, and what it holds.

    `escapes`: strings with a length or a pattern may hold quotes, backslashes and line breaks.
    `joins_texts`: several of pattern, length and a second pattern hold for one string.
    `number_bounds`: bounds of numbers that are not whole hold, with any digits.
    `multiples`: `multipleOf` holds where nothing negative is allowed.
    `pattern_names`: `patternProperties` holds.
    `optional_counts`: the number of properties holds where some of them are optional.
    `absent_names`: a property may be forbidden while others are free.
    `largest_integer`: up to it, bounds of integers are exact.
    `spells_decimals`: the numbers of an enum are written as the schema has them, up to 15 digits,
    and no others; else with up to 17 digits, all integers of 64 bits among them.
    """

    name: str
    escapes: bool
    joins_texts: bool
    number_bounds: bool
    multiples: bool
    pattern_names: bool
    optional_counts: bool
    absent_names: bool
    largest_integer: int
    spells_decimals: bool


XGRAMMAR = Backend(
    "xgrammar",
    escapes=False,
    joins_texts=False,
    number_bounds=False,
    multiples=False,
    pattern_names=False,
    optional_counts=True,
    absent_names=False,
    largest_integer=2**63 - 2,
    spells_decimals=False,
)
GUIDANCE = Backend(
    "guidance",
    escapes=True,
    joins_texts=True,
    number_bounds=True,
    multiples=True,
    pattern_names=True,
    optional_counts=False,
    absent_names=True,
    largest_integer=2**53 - 1,
    spells_decimals=True,
)
BACKENDS = {backend.name: backend for backend in (XGRAMMAR, GUIDANCE)}
"""The backends with copies of their own, the one that is preferred first."""
