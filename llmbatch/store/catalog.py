"""The tables and views in the file of a store: only those that llmbatch makes."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmbatch.store import faults, statements
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError
from llmbatch.store.statements import query

_MADE = re.compile(r"CREATE (?:OR REPLACE )?(TABLE|VIEW) (\w+)")
_GONE = re.compile(r"DROP (TABLE|VIEW) (\w+)")

Migrations = Sequence[Sequence[str]]


def check(db: Database, path: Path, migrations: Migrations, name: str = "job") -> None:
    """Raise DamagedError unless the store at `path`, attached under `name`, has the tables and
    views that these migrations make, and no others: a view in place of a table could return
    anything."""
    expected = _expected(migrations)
    found = {(kind, entry) for kind, entry in db.execute(query("catalog"), {"store": name})}
    if found != expected:
        raise DamagedError(
            f"{path}: is not as llmbatch makes a store: {', '.join(_differences(expected, found))}"
            f"{faults.advice(path)}"
        )


def _expected(migrations: Migrations) -> set[tuple[str, str]]:
    expected: set[tuple[str, str]] = set()
    for names in migrations:
        for name in names:
            for statement in statements.load(name).values():
                expected |= set(_MADE.findall(statement))
                expected -= set(_GONE.findall(statement))
    return expected


def _differences(expected: set[tuple[str, str]], found: set[tuple[str, str]]) -> Iterator[str]:
    for kind, name in sorted(expected - found):
        yield f"it has no {kind.lower()} {name[:80]!r}"
    for kind, name in sorted(found - expected):
        yield f"its {kind.lower()} {name[:80]!r} is unknown"
