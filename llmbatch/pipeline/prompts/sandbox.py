"""The functions that a template may use, and the most text that it can make of a row.

Templates are programs: a short one can take all memory or all time. Nothing of one is evaluated
while it is compiled, and of each it is known whether its text and its time are bounded by the sizes
of template and row. Those that are not are rendered elsewhere (`rendering`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta, nodes

from llmbatch.pipeline.prompts.environment import CodeWriter

# What makes no more of a value than a few times its size, in a time in proportion to it.
_FILTERS = {
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int",
    "last", "length", "list", "lower", "max", "min", "reverse", "round", "sort", "string",
    "striptags", "title", "tojson", "trim", "truncate", "unique", "upper", "wordcount",
}  # fmt: skip
# What makes no text empty that is not.
_KEEPING = {"capitalize", "lower", "string", "title", "tojson", "trim", "upper"}
# What writes a text of the template's own as often as there is something in a value.
_REPEATING = {"join", "replace"}
# A value that is written into a format may be filled up to so many characters; wider ones, and
# those whose width is a value itself, are not plain.
_WIDEST = 999
_WIDE = re.compile(r"[0-9]{4}|\*|\{[^{}]*\{")
_METHODS = {
    "capitalize", "casefold", "endswith", "get", "items", "keys", "lower", "lstrip", "rstrip",
    "split", "splitlines", "startswith", "strip", "title", "upper", "values",
}  # fmt: skip
_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Keyword, nodes.List, nodes.Tuple),
    *(nodes.Dict, nodes.Pair),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Test, nodes.Concat, nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv),
    *(nodes.Neg, nodes.Pos),
)


class _Undeclared(CodeWriter, meta.TrackingCodeGenerator):
    """Finds the names that a template takes from its row, by the way."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.optimizer = None


def names(tree: nodes.Template) -> set[str]:
    """The names that a template takes from its row."""
    assert tree.environment is not None
    generator = _Undeclared(tree.environment)
    generator.visit(tree)
    return generator.undeclared_identifiers - set(tree.environment.globals)


def has_placeholders(tree: nodes.Template) -> bool:
    """True if a template writes anything beside its own text, if only for some rows."""
    own = (nodes.TemplateData, nodes.Const)
    written = (part for output in tree.find_all(nodes.Output) for part in output.nodes)
    return any(not isinstance(part, own) for part in written)


def always_written(tree: nodes.Template) -> set[str]:
    """The names whose text a template writes for every row, so that it is not empty where they
    are not."""
    assigned = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    outputs = [part for part in tree.body if isinstance(part, nodes.Output)]
    found = {_name_in(part) for output in outputs for part in output.nodes}
    return {name for name in found if name is not None} - assigned


def _name_in(node: nodes.Node | None) -> str | None:
    while isinstance(node, nodes.Filter) and node.name in _KEEPING:
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a template can make of a row: it writes so many values, of which each may be
    as long as the row and the template's own texts and numbers (`size`), and that as often, so many
    times over (`depth`)."""

    written: int
    depth: int
    size: int

    def row(self, limit: int) -> int:
        """The longest row (characters) of which surely no more than `limit` characters are made,
        in about as many steps; negative where there is none."""
        return int((limit / self.written) ** (1 / (1 + self.depth))) - self.size


def bound(tree: nodes.Template, source: str) -> Bound | None:
    """The most that a template of plain outputs, conditions and loops can make; None for one
    with anything else, of which this is not known."""
    parts = list(tree.find_all(nodes.Node))
    if not all(_is_plain(node) for node in parts):
        return None
    written, depth = _values(tree), max(_depths(tree, 0))
    for node in parts:
        if isinstance(node, nodes.Assign):  # to write the name is to write all of this
            written *= _values(node)
            depth += max(_depths(node, 0))
    written *= 2 ** _requoting(tree)
    return Bound(written, depth, len(source) + sum(map(_own_size, parts)))


def _requoting(tree: nodes.Template) -> int:
    """The times that a text may be written as a JSON string in another: each time its backslashes
    double. What a name stands for may be quoted already."""
    stated = sum(max(_quotings(node, 0)) for node in tree.find_all(nodes.Assign))
    return stated + max(_quotings(tree, 0))


def _quotings(node: nodes.Node, depth: int) -> Iterator[int]:
    """The number of values around each part of a template that are written as JSON."""
    yield depth
    is_filter = isinstance(node, nodes.Filter) and node.name == "tojson"
    quotes = is_filter or isinstance(node, nodes.List | nodes.Tuple | nodes.Dict)
    for child in node.iter_child_nodes():
        yield from _quotings(child, depth + quotes)


def _own_size(node: nodes.Node) -> int:
    """The characters that a number or a format of the template's own adds to what it can make."""
    if not isinstance(node, nodes.Const):
        return 0
    if isinstance(node.value, str):
        # As JSON, a character of its own is up to six.
        return 5 * len(node.value) + _WIDEST * sum(node.value.count(mark) for mark in "%{")
    return abs(node.value) if isinstance(node.value, int) else 0


def _values(node: nodes.Node) -> int:
    return 1 + sum(1 for _ in node.find_all((nodes.Name, nodes.Const)))


def _is_plain(node: nodes.Node) -> bool:
    for kind, is_plain in _PLAIN_IF.items():
        if isinstance(node, kind):
            return is_plain(node)
    return isinstance(node, _PLAIN)


def _is_plain_filter(node: nodes.Filter) -> bool:
    if node.name in _REPEATING:
        return all(isinstance(one, nodes.Const) for one in (*node.args, *node.kwargs))
    return node.name in _FILTERS or (node.name == "format" and _is_format(node.node))


def _is_plain_call(node: nodes.Call) -> bool:
    called = node.node
    if isinstance(called, nodes.Name):
        return called.name == "range" and all(_is_number(one) for one in node.args)
    if not isinstance(called, nodes.Getattr):
        return False
    return called.attr in _METHODS or (called.attr == "format" and _is_format(called.node))


def _is_format(node: nodes.Node | None) -> bool:
    """A text into which values are written, none of them wider than a few characters."""
    if not (isinstance(node, nodes.Const) and isinstance(node.value, str)):
        return False
    return not _WIDE.search(node.value)


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, int | float)


def _depths(node: nodes.Node, depth: int) -> Iterator[int]:
    """The number of loops, or of what is like one, around each part of a template."""
    yield depth
    is_filter = isinstance(node, nodes.Filter) and node.name in _REPEATING
    repeats = is_filter or isinstance(node, nodes.For | nodes.Mul)
    for child in node.iter_child_nodes():
        yield from _depths(child, depth + repeats)


_PLAIN_IF: dict[type[nodes.Node], Callable[[Any], bool]] = {
    nodes.Filter: _is_plain_filter,
    nodes.Call: _is_plain_call,
    nodes.Mul: lambda node: _is_number(node.left) or _is_number(node.right),
    nodes.Mod: lambda node: _is_format(node.left),
    nodes.Assign: lambda node: isinstance(node.target, nodes.Name),
    nodes.For: lambda node: not node.recursive,
}
