"""A user's pattern, translated once for the check and for the engines.

The parser is our own: Python's is private and changes with each version, and knows neither
`(?<name>...)` nor `\\z` nor `\\u{...}`; libraries that make automata of regexes lose the form
of a pattern, and with it large counts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from llmbatch.constraints.patterns.characters import ANY, ESCAPED_IN_JSON, NUL
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.parser import Parser
from llmbatch.constraints.patterns.printing import engine_source, python_source
from llmbatch.constraints.patterns.resolving import describe, resolve, without
from llmbatch.constraints.patterns.syntax import (
    EMPTY,
    NOTHING,
    Chars,
    Edge,
    Look,
    Node,
    Repeat,
    children,
    sequence,
)

_ANYTHING = Repeat(Chars(ANY), 0, None)
_CACHED = 256
_TOO_DEEP = "the groups are nested too deep: write fewer of them"
_NO_TEXT = "no text can match: see that each ^, $ and look-around can be true"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One meaning in the two ways of writing it; each describes the whole text.

    `check` is for Python's `re.fullmatch` without flags, `grammar` for the engines. A grammar has
    no NUL, for which no model is asked: llguidance 1.7 takes a set with all control characters for
    one that has the quote as well. `needs_escapes` is true if a text of it may hold a quote, a
    backslash or a control character, which a JSON string has as escapes. `left_out` names the
    assertions that no grammar holds in good
    time: then the grammar allows more than the check. `parts` are those of the grammar.
    """

    check: str
    grammar: str
    needs_escapes: bool
    left_out: tuple[str, ...] = ()
    parts: Node = field(default=EMPTY, compare=False, repr=False)


@lru_cache(_CACHED)
def whole(pattern: str) -> Pattern:
    """The pattern of a whole text. Raises PatternError."""
    made = _translate(pattern, lambda node: node)
    if made.grammar == "":
        raise PatternError("only an empty text matches: write what the answer may be")
    return made


@lru_cache(_CACHED)
def search(pattern: str) -> Pattern:
    """The pattern of something within a text, as JSON Schema's `pattern`. Raises PatternError."""
    return _translate(pattern, _opened)


@lru_cache(_CACHED)
def differs_from_python(pattern: str) -> bool:
    """True if Python's `re` may read another language in a pattern that is good."""
    parser = Parser(pattern)
    try:
        parser.parse()
    except RecursionError:
        raise PatternError(_TOO_DEEP) from None
    return parser.differs_from_python()


def _translate(pattern: str, around: Callable[[Node], Node]) -> Pattern:
    try:
        node = around(Parser(pattern).parse())
        resolved, left_out = resolve(node)
        if resolved == NOTHING:
            raise PatternError(_NO_TEXT)
        resolved = without(resolved, NUL)
        if resolved == NOTHING:
            raise PatternError("a NUL character cannot be asked for: leave it out")
        grammar = engine_source(resolved)
        check = _check_source(_stripped(node), resolved, left_out)
    except RecursionError:
        raise PatternError(_TOO_DEEP) from None
    notes = tuple(dict.fromkeys(describe(each) for each in left_out))
    return Pattern(check, grammar, _needs_escapes(resolved), notes, resolved)


def _check_source(node: Node, resolved: Node, left_out: list[Edge | Look]) -> str:
    """The source with its assertions; where Python knows no such look, the one without them."""
    source = python_source(node)
    try:
        re.compile(source)
    except re.error:
        if left_out:
            message = "a look-behind of several lengths is not supported here: write one length"
            raise PatternError(message, left_out[0].position) from None
        return python_source(resolved)
    except OverflowError:
        raise PatternError("a count is too large: write a smaller one") from None
    return source


def _opened(node: Node) -> Node:
    """Anything may stand before and after, but for an end that is anchored."""
    items = node.items if isinstance(node, type(EMPTY)) else (node,)
    before = [] if items and _is_end(items[0], behind=True) else [_ANYTHING]
    after = [] if items and _is_end(items[-1], behind=False) else [_ANYTHING]
    return sequence([*before, *items, *after])


def _stripped(node: Node) -> Node:
    """Without the anchors at both ends: the whole text is matched."""
    items = list(node.items) if isinstance(node, type(EMPTY)) else [node]
    while items and _is_end(items[0], behind=True):
        items.pop(0)
    while items and _is_end(items[-1], behind=False):
        items.pop()
    return sequence(items)


def _is_end(node: Node, *, behind: bool) -> bool:
    return isinstance(node, Edge) and (node.behind, node.bare, bool(node.characters)) == (
        behind,
        True,
        False,
    )


def _needs_escapes(node: Node) -> bool:
    if isinstance(node, Chars):
        return bool(node.characters & ESCAPED_IN_JSON)
    return any(_needs_escapes(each) for each in children(node))
