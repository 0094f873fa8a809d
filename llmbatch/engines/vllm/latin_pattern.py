"""A tokenizer's pattern as one of Python's, for texts of ASCII and the letters of Western Europe.

Such patterns are written for another library, with classes of characters that Python lacks. Of
these few characters each class is a few ranges. What is not surely the same in both is refused.
"""

import re

_ALPHABET = re.compile(r"[\x00-\x7fÀ-ÖØ-öø-ÿ\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026€]*")
"""The characters that are known here; beside ASCII, letters, and signs that are of no class."""
_CLASSES = {
    "L": "A-Za-zÀ-ÖØ-öø-ÿ",
    "Lu": "A-ZÀ-ÖØ-Þ",
    "Ll": "a-zß-öø-ÿ",
    "N": "0-9",
    "Nd": "0-9",
    # Of these no character is known here.
    "M": "",
    "Mn": "",
    "Lt": "",
    "Lm": "",
    "Lo": "",
    "Han": "",
}
_PART = re.compile(
    r"\\p\{(?P<name>\w+)\}"
    r"|(?P<opens>\[\^?)|(?P<closes>\])"
    r"|(?P<group>\((?!\?)|\(\?(?:i?:|=|!))"
    # A bounded repetition with one more sign after it means something else in Python.
    r"|\{\d+(?:,\d*)?\}(?![?+*{])"
    r"|\\[sSdrnt\\'\"/.\[\](){}|?*+^$-]"
    r"|[A-Za-z0-9 '\"/,<>=:;_@#%!`|)?*+-]"
)


def is_latin(text: str) -> bool:
    """True if all characters of a text are known here."""
    return text.isascii() or _ALPHABET.fullmatch(text) is not None


def in_python(pattern: str) -> re.Pattern[str] | None:
    """The pattern for such texts; None where it may mean something else in Python, or cannot be
    written there."""
    written, place, opened = list[str](), 0, False
    while place < len(pattern):
        found = _PART.match(pattern, place)
        if found is None or (part := _part(found, is_in_class=opened)) is None:
            return None
        opened = (opened or found["opens"] is not None) and found["closes"] is None
        written.append(part)
        place = found.end()
    try:
        made = re.compile("".join(written), re.ASCII)
    except re.error:
        return None
    return made if not (opened or made.groups) else None


def _part(found: re.Match[str], *, is_in_class: bool) -> str | None:
    """A part of the pattern in Python's way of writing; None where there is none."""
    if found["name"] is not None:
        ranges = _CLASSES.get(found["name"])
        if is_in_class:
            return ranges
        return f"[{ranges}]" if ranges else None
    if found["opens"] is not None:
        return None if is_in_class else found[0]
    if found["closes"] is not None:
        return found[0] if is_in_class else None
    if is_in_class and found["group"] is not None:
        return "(" if found[0] == "(" else None
    return found[0]
