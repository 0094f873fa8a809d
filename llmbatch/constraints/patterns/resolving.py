"""A pattern without assertions: the shortest way that works, or else the nearest wider pattern."""

from llmbatch.constraints.patterns.characters import Characters
from llmbatch.constraints.patterns.edges import EntangledError, resolve_edges
from llmbatch.constraints.patterns.syntax import (
    EMPTY,
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    choice,
    repeat,
    sequence,
)
from llmbatch.constraints.patterns.unrolling import unroll

MOST_TRIES = 6
"""Looks that are tried one by one when all together are too much."""


def resolve(node: Node) -> tuple[Node, list[Edge | Look]]:
    """A pattern for a whole text without its assertions, and those that it leaves out: with them it
    is the same language, else a wider one."""
    exact = _exact(node)
    if exact is not None:
        return exact, []
    looks: list[Edge | Look] = [each for each in _outer(node) if isinstance(each, Look)]
    kept: list[Edge | Look] = [each for each in _outer(node) if isinstance(each, Edge)]
    found = _exact(_keep(node, kept)) if looks else None
    if found is None:
        looks, kept = [*kept, *looks][: MOST_TRIES * 2], []
        found = _keep(node, kept)
    for look in looks[:MOST_TRIES]:
        better = _exact(_keep(node, [*kept, look]))
        if better is not None:
            kept.append(look)
            found = better
    return found, [each for each in _outer(node) if each not in kept]


def without(node: Node, characters: Characters) -> Node:
    """The texts of a pattern without assertions that hold none of these characters."""
    if isinstance(node, Chars):
        return Chars(node.characters - characters)
    if isinstance(node, Sequence):
        return sequence(without(each, characters) for each in node.items)
    if isinstance(node, Choice):
        return choice(without(each, characters) for each in node.items)
    if isinstance(node, Repeat):
        return repeat(without(node.item, characters), node.least, node.most)
    return node


def describe(assertion: Edge | Look) -> str:
    """An assertion for a person to read."""
    return f"the assertion at character {assertion.position + 1} of the pattern"


def _exact(node: Node) -> Node | None:
    for way in (resolve_edges, unroll):
        try:
            return way(node)
        except EntangledError:
            continue
    return None


def _outer(node: Node) -> list[Edge | Look]:
    """The assertions that stand in no other one, without doubles."""
    if isinstance(node, Edge | Look):
        return [node]
    items = node.items if isinstance(node, Sequence | Choice) else ()
    items = (node.item,) if isinstance(node, Repeat) else items
    return list(dict.fromkeys(found for each in items for found in _outer(each)))


def _keep(node: Node, kept: list[Edge | Look]) -> Node:
    """The pattern with no other outer assertions than these; it allows all that it did."""
    if isinstance(node, Edge | Look):
        return node if node in kept else EMPTY
    if isinstance(node, Sequence):
        return sequence(_keep(each, kept) for each in node.items)
    if isinstance(node, Choice):
        return choice(_keep(each, kept) for each in node.items)
    if isinstance(node, Repeat):
        return repeat(_keep(node.item, kept), node.least, node.most)
    return node
