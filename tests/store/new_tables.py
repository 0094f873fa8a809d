"""The tables of a new store as all migrations together make them.

`make tables` writes them to `llmbatch/store/sql/tables.sql`, so that a new store is made at once
and not version by version, which takes a quarter of the time of a small job.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from llmbatch.store import connection, opening
from llmbatch.store.database import Database

FILE = Path(opening.__file__).with_name("sql") / "tables.sql"
_HEAD = """\
-- The tables of a new store, version {version}: what the migrations make, in one step.
-- Written by `make tables`; what each of them is for stands in the migrations (schema*.sql).

-- name: tables
"""
_DECLARED = "SELECT sql FROM duckdb_tables() WHERE database_name = 'job' ORDER BY table_name"
_VERSIONS = "SELECT version FROM migrations ORDER BY version"
_WIDTH = 100


def text() -> str:
    """The file as it must be."""
    head = _HEAD.format(version=len(opening.MIGRATIONS))
    return head + "\n".join(map(_laid_out, migrated()[0]))


def migrated() -> tuple[list[str], list[int]]:
    """The declarations and versions of a store that was migrated from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.duckdb"
        instance = connection.instance(path)
        with Database(instance.connection, path, instance) as db:
            instance.attach(path, read_only=False)
            opening.migrate(db, 0)
            return declared(db)


def declared(db: Database) -> tuple[list[str], list[int]]:
    """The declarations of the tables of a store, and its versions."""
    tables = [table for (table,) in db.execute(_DECLARED)]
    return tables, [version for (version,) in db.execute(_VERSIONS)]


def _laid_out(declared: str) -> str:
    """A declaration in lines that can be read."""
    head, _, rest = declared.partition("(")
    lines = [f"{head} ("]
    for part in _parts(rest.removesuffix(");")):
        one = f"{lines[-1]} {part},"
        if len(lines) > 1 and len(one) <= _WIDTH:
            lines[-1] = one
        else:
            lines.append(f"    {part},")
    return "\n".join([*lines, ");\n"]).replace(",\n);", "\n);")


def _parts(declared: str) -> Iterator[str]:
    """The columns and checks of a declaration."""
    depth, begin = 0, 0
    for place, character in enumerate(declared):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield declared[begin:place].strip()
            begin = place + 1
    yield declared[begin:].strip()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
