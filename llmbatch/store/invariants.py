"""The invariants of a store, asked again only of tables that hold something else than before.

An invariant is a question to some tables and nothing else. So one that held still holds while a
digest of every record of each of its tables is the same, which reading all of them, the way damage
is found, gives by the way.
"""

import re
from collections.abc import Mapping
from functools import cache

import duckdb

from llmbatch.store import statements
from llmbatch.store.database import Database
from llmbatch.store.known import name_of

_WORD = re.compile(r"\w+")
# What it is asked about is no table.
_OF_CATALOG = "duckdb_"


def broken(db: Database, contents: Mapping[str, str]) -> list[str]:
    """The names of the invariants that do not hold. `contents`: of all tables (`read_all`)."""
    found, held = [], dict[str, str]()
    before = {} if db.known is None else db.known.held
    for name, statement in statements.load("invariants.sql").items():
        content = _content(statement, contents)
        if content is not None and before.get(name) == content:
            held[name] = content
        elif db.scalar(statement):
            found.append(name)
        elif content is not None:
            held[name] = content
    if db.known is not None:
        db.known.hold(held)
    return found


def _content(statement: str, contents: Mapping[str, str]) -> str | None:
    """A name for all that an invariant is asked about; None if it is not known."""
    if _OF_CATALOG in statement:
        return None
    words = _words(statement)
    read = [f"{table} {content}" for table, content in sorted(contents.items()) if table in words]
    asked = "\n".join([duckdb.__version__, _with_views(statement), *read])
    return name_of(asked)


def _words(statement: str) -> frozenset[str]:
    """The names of all tables that a statement reads, itself or by views, among other words."""
    return frozenset(_WORD.findall(_with_views(statement)))


@cache
def _with_views(statement: str) -> str:
    """A statement with those that make the views which it reads."""
    views = statements.load("states.sql")
    text, read = statement, set[str]()
    while more := (set(_WORD.findall(text)) & views.keys()) - read:
        read |= more
        text = "\n".join([text, *(views[name] for name in sorted(more))])
    return text
