"""The templates that have to say something of a row: a pair's each by itself, a chat's together."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from jinja2 import nodes

from llmbatch.pipeline.prompts import sandbox
from llmbatch.pipeline.prompts.pieces import PROMPT, Piece

ALONE = frozenset({"text", "query", "document"})
"""Roles whose message has to say something by itself: there is nothing to be made of an empty
one."""


class Speaker(NamedTuple):
    """Templates of which at least one has to write something of a row: what they are together for
    people, their titles, the columns that they name, and those whose text is always written."""

    what: str
    titles: frozenset[str]
    names: frozenset[str]
    always: frozenset[str]

    def emptiness(self, own_names: AbstractSet[str]) -> str:
        """The reason for which a row is skipped of which they write nothing. `own_names`: those of
        their names that are no columns."""
        names = sorted(self.names - own_names)
        columns = "columns" if len(names) > 1 else "column"
        of = f" ({columns} {', '.join(names)})" if names else ""
        return f"all that the {self.what} would say of the row is empty{of}"


def find(pieces: Sequence[Piece], trees: Mapping[str, nodes.Template]) -> Iterator[Speaker]:
    """Those of the templates (parsed, by title) that have placeholders."""
    alone = [{piece.title} for piece in pieces if piece.role in ALONE]
    together = {piece.title for piece in pieces if piece.role not in ALONE}
    for titles in [together, *alone] if together else alone:
        own = [trees[title] for title in titles]
        if any(map(sandbox.has_placeholders, own)):
            names = frozenset[str]().union(*map(sandbox.names, own))
            always = frozenset[str]().union(*map(sandbox.always_written, own))
            what = PROMPT if titles is together else next(iter(titles))
            yield Speaker(what, frozenset(titles), names, always)
