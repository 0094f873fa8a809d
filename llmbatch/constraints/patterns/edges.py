"""Edges worked into the characters beside them, so that a grammar needs none.

`foo$` in a search is `.*foo`, `\\bfoo` is `(|.*[^0-9A-Za-z_])foo`, `(?!-)[a-z-]+` is
`[a-z][a-z-]*`.
The alternatives that hold edges are written out one by one; in each, an edge that looks ahead goes
to the right until it meets characters, which it narrows, and one that looks behind to the left.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Items

from llmbatch.constraints.patterns.narrowing import narrow
from llmbatch.constraints.patterns.syntax import (
    EMPTY,
    NOTHING,
    Chars,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    asserts,
    choice,
    nullable,
    repeat,
    sequence,
)

MOST_TERMS = 400

Term = tuple[Node, ...]
"""Parts in sequence; of those that assert something, only edges."""


class EntangledError(Exception):
    """The edges cannot be worked in this way, for the part at this position."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def resolve_edges(node: Node) -> Node:
    """The same language without edges, of a pattern for a whole text. Raises EntangledError."""
    if not asserts(node):
        return node
    return choice(_absorbed(list(term)) for term in _terms(node))


def _terms(node: Node) -> list[Term]:
    """A part as alternatives, in none of which an edge is inside a choice or a repetition."""
    if not asserts(node) or isinstance(node, Edge):
        return [(node,)]
    if isinstance(node, Look):
        return _look_terms(node)
    if isinstance(node, Choice):
        plain = choice(each for each in node.items if not asserts(each))
        edged = [term for each in node.items if asserts(each) for term in _terms(each)]
        return _settled([*([] if plain == NOTHING else [(plain,)]), *edged])
    if isinstance(node, Repeat):
        return _repeat_terms(node)
    assert isinstance(node, Sequence)
    terms: list[Term] = [()]
    for item in node.items:
        following = _terms(item)
        terms = [(*term, *each) for term in terms for each in following]
        _bound(terms, node)
    return _settled(terms)


def _settled(terms: list[Term]) -> list[Term]:
    """The terms whose edges were worked in as far as their own parts go, and the others."""
    done: list[Node] = []
    open_terms: list[Term] = []
    for term in terms:
        for each in _pushed(term):
            if any(isinstance(part, Edge) for part in each):
                open_terms.append(each)
            else:
                done.append(sequence(each))
    plain = choice(done)
    return [*([] if plain == NOTHING else [(plain,)]), *dict.fromkeys(open_terms)]


def _repeat_terms(node: Repeat) -> list[Term]:
    inner = _terms(node.item)
    if all(not asserts(sequence(term)) for term in inner):
        return [(repeat(choice(sequence(term) for term in inner), node.least, node.most),)]
    if node.most == 1:
        return [(), *inner]
    if node.most is None or node.most > 3:
        raise EntangledError(first_position(node))
    counts = range(node.least, node.most + 1)
    terms = [term for count in counts for term in _product([inner] * count)]
    _bound(terms, node)
    return _settled(terms)


def _product(parts: list[list[Term]]) -> Iterator[Term]:
    if not parts:
        yield ()
        return
    for first in parts[0]:
        for rest in _product(parts[1:]):
            yield (*first, *rest)


def _bound(terms: Items[Term], node: Node) -> None:
    if len(terms) > MOST_TERMS:
        raise EntangledError(first_position(node))


def first_position(node: Node) -> int:
    """The place of the first part that asserts something."""
    stack = [node]
    found = []
    while stack:
        part = stack.pop()
        if isinstance(part, Edge | Look):
            found.append(part.position)
        elif not isinstance(part, Chars):
            stack.extend(part.items if isinstance(part, Sequence | Choice) else [part.item])
    return min(found, default=0)


def _look_terms(look: Look) -> list[Term]:
    """A look around at single characters is an edge; any other one is left to others."""
    if look.item == EMPTY:
        return [] if look.negative else [()]
    if not isinstance(look.item, Chars):
        raise EntangledError(look.position)
    seen = look.item.characters
    return [(Edge(look.behind, ~seen if look.negative else seen, look.negative, look.position),)]


def _pushed(term: Term) -> Iterator[Term]:
    """The term with each edge as near to the outside as it comes, as one or more terms: where the
    part beside an edge may be empty, once with it and once without."""
    for index, part in enumerate(term):
        if not isinstance(part, Edge):
            continue
        beside = index - 1 if part.behind else index + 1
        if not 0 <= beside < len(term):
            continue
        moved = _moved(part, term[beside])
        if moved is None:
            continue
        low, high = min(index, beside), max(index, beside)
        for pair in moved:
            new = pair if beside > index else pair[::-1]
            if NOTHING not in new:
                yield from _pushed((*term[:low], *new, *term[high + 1 :]))
        return
    yield term


def _moved(edge: Edge, neighbour: Node) -> list[Term] | None:
    """The terms in place of an edge and its neighbour, written as if the edge looked ahead; None
    if they stay as they are."""
    if isinstance(neighbour, Edge):
        if neighbour.behind != edge.behind:
            return [(neighbour, edge)] if not edge.behind else None
        both = edge.characters & neighbour.characters
        return [(Edge(edge.behind, both, edge.bare and neighbour.bare, edge.position),)]
    narrowed = (narrow(neighbour, edge.characters, behind=edge.behind),)
    return [(edge,), narrowed] if nullable(neighbour) else [narrowed]


def _absorbed(term: list[Node]) -> Node:
    """A term that is a whole text: an edge that is left stands at an end of it."""
    found = []
    for pushed in _pushed(tuple(term)):
        if all(part.bare for part in pushed if isinstance(part, Edge)):
            found.append(sequence(part for part in pushed if not isinstance(part, Edge)))
    return choice(found)
