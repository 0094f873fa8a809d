"""The parts of a pattern, whatever dialect it was written in."""

from collections.abc import Iterable
from dataclasses import dataclass

from llmbatch.constraints.patterns.characters import NONE, Characters


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set."""

    characters: Characters


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after the other; none of them is the empty text."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several parts; none of them is what nothing matches."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part `least` to `most` times; `most` None is without end."""

    item: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Edge:
    """An empty place whose neighbour is one of `characters`, or with `bare` the end of the text.

    `behind` looks at the character before it, else at the one after it. So `^` is a bare edge
    behind with no characters, and `\\b` a choice of two pairs of edges.
    """

    behind: bool
    characters: Characters
    bare: bool
    position: int


@dataclass(frozen=True, slots=True)
class Look:
    """An empty place before or after which `item` must (or with `negative` must not) match."""

    behind: bool
    negative: bool
    item: "Node"
    position: int


Node = Chars | Sequence | Choice | Repeat | Edge | Look

EMPTY = Sequence(())
NOTHING = Chars(NONE)
"""What nothing matches."""


def sequence(parts: Iterable[Node]) -> Node:
    """Parts one after the other, in their simplest form."""
    items: list[Node] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        for item in part.items if isinstance(part, Sequence) else [part]:
            last = items[-1] if items else None
            if isinstance(item, Repeat) and item.most is None and item.item == last:
                items[-1] = Repeat(item.item, item.least + 1, None)
            else:
                items.append(item)
    return items[0] if len(items) == 1 else Sequence(tuple(items))


def choice(parts: Iterable[Node]) -> Node:
    """One of several parts, in its simplest form: without doubles, single characters as one set."""
    items: dict[Node, None] = {}
    for part in parts:
        items.update(dict.fromkeys(part.items if isinstance(part, Choice) else [part]))
    items.pop(NOTHING, None)
    characters = NONE
    for item in [each for each in items if isinstance(each, Chars)]:
        characters |= item.characters
    singles = sum(isinstance(each, Chars) for each in items)
    rest = [each for each in items if not (singles > 1 and isinstance(each, Chars))]
    if singles > 1:
        rest.append(Chars(characters))
    if not rest:
        return NOTHING
    return rest[0] if len(rest) == 1 else Choice(tuple(rest))


def repeat(item: Node, least: int, most: int | None) -> Node:
    """A part several times, in its simplest form."""
    if most == 0 or item == EMPTY:
        return EMPTY
    if item == NOTHING:
        return EMPTY if least == 0 else NOTHING
    if (least, most) == (1, 1):
        return item
    return Repeat(item, least, most)


def children(node: Node) -> tuple[Node, ...]:
    """The parts that a part is made of."""
    if isinstance(node, Sequence | Choice):
        return node.items
    return (node.item,) if isinstance(node, Repeat | Look) else ()


def nullable(node: Node) -> bool:
    """True if a part without assertions matches the empty text."""
    if isinstance(node, Sequence):
        return all(nullable(each) for each in node.items)
    if isinstance(node, Choice):
        return any(nullable(each) for each in node.items)
    if isinstance(node, Repeat):
        return node.least == 0 or nullable(node.item)
    return not isinstance(node, Chars)


def asserts(node: Node) -> bool:
    """True if a part holds an edge or looks around."""
    return isinstance(node, Edge | Look) or any(asserts(each) for each in children(node))
