"""The views of the states, made for a connection when the first statement reads them.

Each connection has views of its own, and reads none from the file of a store (see states.sql). To
make all of them takes as long as a dozen queries, and many connections read one or none.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from llmbatch.store import statements

_SCRIPT = "states.sql"
# Comments, and values.
_NO_NAMES = re.compile(r"--[^\n]*|'[^']*'")


class Views:
    """The views that a connection has made so far."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def lacking(self, sql: str) -> Iterator[str]:
        """The statements that make what `sql` reads and the connection lacks; each is to be run
        before the next is taken."""
        for name in read_by(sql):
            if name not in self._made:
                yield statements.load(_SCRIPT)[name]
                self._made.add(name)

    def forget(self) -> None:
        """They are gone, as after a rollback, or of other tables than names mean from now on."""
        self._made.clear()


@lru_cache(maxsize=4096)
def read_by(sql: str) -> tuple[str, ...]:
    """The views that a statement reads, itself or by others, each after those that it reads. A
    column of such a name counts, too."""
    views = statements.load(_SCRIPT)
    words = re.compile(rf"\b(?:{'|'.join(views)})\b")
    found, texts = set[str](), [sql]
    while texts:
        more = set(words.findall(_NO_NAMES.sub("", texts.pop()))) - found
        found |= more
        texts += [views[name] for name in more]
    return tuple(name for name in views if name in found)
