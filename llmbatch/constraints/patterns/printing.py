"""Writing a pattern's parts: for Python's `re`, and for the engines' grammars.

Sets stand as explicit ranges. xgrammar's reader and Rust's regex-syntax (which llguidance uses)
have few escapes in common: `\\u{...}` for any character, and a backslash before the signs of the
syntax itself.
"""

from collections.abc import Callable

from llmbatch.constraints.patterns.characters import ANY, LAST, Characters
from llmbatch.constraints.patterns.syntax import (
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
)

_SIGNS = frozenset("\\^$.|?*+()[]{}")
_PLAIN = frozenset("!\"'#%,/:;<=>@_` ") | {chr(code) for code in range(128) if chr(code).isalnum()}
_PLAIN_BEYOND_SETS = _PLAIN | frozenset("&~-")


def python_source(node: Node) -> str:
    """The source for Python's `re`, without flags."""
    return _write(node, _python_code)


def engine_source(node: Node) -> str:
    """The source for the engines; the parts must hold no edges and look at nothing around them."""
    return _write(node, _engine_code)


Coder = Callable[[int], str]


def _python_code(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _engine_code(code: int) -> str:
    return f"\\u{{{code:x}}}"


def _write(node: Node, coder: Coder) -> str:
    if isinstance(node, Chars):
        return _write_characters(node.characters, coder)
    if isinstance(node, Sequence):
        return "".join(_write_part(each, coder) for each in node.items)
    if isinstance(node, Choice):
        return "|".join(_write(each, coder) for each in node.items)
    if isinstance(node, Repeat):
        return _write_item(node.item, coder) + _count(node)
    if isinstance(node, Look):
        opening = "(?" + "<" * node.behind + ("!" if node.negative else "=")
        return f"{opening}{_write(node.item, coder)})"
    return _write_edge(node, coder)


def _write_part(node: Node, coder: Coder) -> str:
    text = _write(node, coder)
    return f"(?:{text})" if isinstance(node, Choice) else text


def _write_item(node: Node, coder: Coder) -> str:
    text = _write(node, coder)
    return text if isinstance(node, Chars) else f"(?:{text})"


def _count(node: Repeat) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((node.least, node.most))
    if short == "?" and not isinstance(node.item, Chars):
        # xgrammar lets the repetition at the end of an optional group go on without the group:
        # for it `^a(?:b[0-9]+)?$` takes a3.
        return "{0,1}"
    if short:
        return short
    if node.most is None:
        return f"{{{node.least},}}"
    return f"{{{node.least}}}" if node.least == node.most else f"{{{node.least},{node.most}}}"


def _write_characters(characters: Characters, coder: Coder) -> str:
    if not characters:
        return "[^" + _range(0, LAST, coder) + "]"
    only = characters.only()
    if only is not None:
        if only in _SIGNS:
            return "\\" + only
        return only if only in _PLAIN_BEYOND_SETS else coder(ord(only))
    inverse = ~characters
    if characters == ANY:
        return "[" + _range(0, LAST, coder) + "]"
    negated = len(inverse.ranges) < len(characters.ranges)
    ranges = inverse.ranges if negated else characters.ranges
    # Two ranges with the surrogates between them stand as one: they hold no character.
    joined = "".join(_range(*each, coder) for each in _across_surrogates(ranges))
    return f"[{'^' * negated}{joined}]"


def _across_surrogates(ranges: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and joined[-1][1] == 0xD7FF and first == 0xE000:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _range(first: int, last: int, coder: Coder) -> str:
    if first == last:
        return _member(first, coder)
    between = "" if last == first + 1 else "-"
    return _member(first, coder) + between + _member(last, coder)


def _member(code: int, coder: Coder) -> str:
    return chr(code) if chr(code) in _PLAIN else coder(code)


def _write_edge(edge: Edge, coder: Coder) -> str:
    opening = "(?<" if edge.behind else "(?"
    if edge.bare and not edge.characters:
        return "\\A" if edge.behind else "\\Z"
    if edge.bare:
        return f"{opening}!{_write_characters(~edge.characters, coder)})"
    return f"{opening}={_write_characters(edge.characters, coder)})"
