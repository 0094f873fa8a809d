"""The invariants of a store, asked again only of tables that hold something else than before.

An invariant is a question to some tables and nothing else. So one that held still holds while a
digest of every record of each of its tables is the same, which reading all of them, the way damage
is found, gives by the way.
"""

import re
from collections.abc import Mapping

import duckdb

from llmbatch.store import statements, views
from llmbatch.store.database import Database
from llmbatch.store.known import name_of

_WORD = re.compile(r"\w+")
# What it is asked about is no table.
_OF_CATALOG = "duckdb_"
# So many records, of all tables together, are few.
_FEW = 100_000


def broken(db: Database, contents: Mapping[str, str]) -> list[str]:
    """The names of the invariants that do not hold. `contents`: of all tables (`read_all`)."""
    named = statements.load("invariants.sql")
    before = {} if db.known is None else db.known.held
    content = {name: _content(statement, contents) for name, statement in named.items()}
    asked = {
        name: statement
        for name, statement in named.items()
        if content[name] is None or before.get(name) != content[name]
    }
    found = _asked_at_once(db, asked) if is_small(contents) else _asked_one_by_one(db, asked)
    if db.known is not None:
        db.known.hold({name: of for name, of in content.items() if of and name not in found})
    return found


def is_small(contents: Mapping[str, str]) -> bool:
    """True for a store of few records, of which all invariants are asked in no time."""
    return sum(int(content.partition("/")[0]) for content in contents.values()) <= _FEW


def _asked_one_by_one(db: Database, asked: Mapping[str, str]) -> list[str]:
    return [name for name, statement in asked.items() if db.scalar(statement)]


def _asked_at_once(db: Database, asked: Mapping[str, str]) -> list[str]:
    """Of few records most of the time is that of the statements; of many, one that asks everything
    would hold much of them at a time."""
    parts = (
        f"SELECT '{name}', * FROM (\n{statement.rstrip(';')}\n) AS found(violations)"
        for name, statement in asked.items()
    )
    return [name for name, violations in db.execute(" UNION ALL ".join(parts)) if violations]


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


def _with_views(statement: str) -> str:
    """A statement with those that make the views which it reads."""
    made = statements.load("states.sql")
    return "\n".join([statement, *(made[name] for name in views.read_by(statement))])
