"""Text made harmless for a terminal: it moves, colours and hides nothing.

Rows, names and the reasons of engines may hold escape sequences, carriage returns, or marks that
change the direction of writing. Such characters are shown by their numbers.
"""

import re

# Controls but the line feed and the tab; marks of direction; what has no width, but for the two
# joiners, which words of some languages are written with; line ends that only Unicode knows; tags;
# halves of surrogate pairs.
_MARKS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def text(shown: str) -> str:
    """Text of several lines."""
    return _MARKS.sub(lambda found: _escape(found[0]), shown)


def line(shown: str) -> str:
    """Text in one line."""
    return text(shown).replace("\n", "\\n")


def json(shown: str) -> str:
    """A JSON text; it keeps its meaning."""
    return _MARKS.sub(lambda found: _units(found[0]), shown)


def _escape(mark: str) -> str:
    code = ord(mark)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _units(mark: str) -> str:
    """As JSON writes a character: by its one or two units of UTF-16."""
    units = mark.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
