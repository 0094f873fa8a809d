"""Parts of a pattern narrowed by their first or their last character."""

from llmbatch.constraints.patterns.characters import NONE, Characters
from llmbatch.constraints.patterns.syntax import (
    Chars,
    Choice,
    Node,
    Repeat,
    Sequence,
    choice,
    nullable,
    repeat,
    sequence,
)


def narrow(node: Node, wanted: Characters, *, behind: bool) -> Node:
    """The texts of a part without assertions that begin (with `behind`: end) with such a
    character, so none that is empty."""
    if not nullable(node) and not outermost(node, behind=behind) - wanted:
        return node
    if isinstance(node, Chars):
        return Chars(node.characters & wanted)
    if isinstance(node, Choice):
        return choice(narrow(each, wanted, behind=behind) for each in node.items)
    if isinstance(node, Repeat):
        first = narrow(node.item, wanted, behind=behind)
        most = None if node.most is None else node.most - 1
        return _joined(first, repeat(node.item, max(node.least - 1, 0), most), behind)
    assert isinstance(node, Sequence)
    if not node.items:
        return Chars(NONE)
    edge, rest = (node.items[-1], node.items[:-1]) if behind else (node.items[0], node.items[1:])
    remaining = sequence(rest)
    found = [_joined(narrow(edge, wanted, behind=behind), remaining, behind)]
    if nullable(edge):
        found.append(narrow(remaining, wanted, behind=behind))
    return choice(found)


def _joined(outer: Node, inner: Node, behind: bool) -> Node:
    return sequence([inner, outer] if behind else [outer, inner])


def outermost(node: Node, *, behind: bool) -> Characters:
    """The first (with `behind`: the last) characters of a part's texts, or more than those."""
    if isinstance(node, Chars):
        return node.characters
    if isinstance(node, Repeat):
        return outermost(node.item, behind=behind)
    found = NONE
    if isinstance(node, Choice):
        for each in node.items:
            found |= outermost(each, behind=behind)
    elif isinstance(node, Sequence):
        for each in reversed(node.items) if behind else node.items:
            found |= outermost(each, behind=behind)
            if not nullable(each):
                break
    return found
