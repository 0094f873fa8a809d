"""What lies in the file of a store: only what this llmbatch, or an older one, has made."""

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
    views that these migrations make: a view in place of a table, or of another
    view, would say what somebody else wants."""
    wanted = _wanted(migrations)
    found = {(kind, entry) for kind, entry in db.execute(query("catalog"), {"store": name})}
    if found != wanted:
        raise DamagedError(
            f"{path}: is not as llmbatch makes a store: {', '.join(_differences(wanted, found))}"
            f"{faults.advice(path)}"
        )


def _wanted(migrations: Migrations) -> set[tuple[str, str]]:
    wanted: set[tuple[str, str]] = set()
    for names in migrations:
        for name in names:
            for statement in statements.load(name).values():
                wanted |= set(_MADE.findall(statement))
                wanted -= set(_GONE.findall(statement))
    return wanted


def _differences(wanted: set[tuple[str, str]], found: set[tuple[str, str]]) -> Iterator[str]:
    for kind, name in sorted(wanted - found):
        yield f"it has no {kind.lower()} {name[:80]!r}"
    for kind, name in sorted(found - wanted):
        yield f"nobody knows its {kind.lower()} {name[:80]!r}"
