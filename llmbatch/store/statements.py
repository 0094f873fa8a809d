"""Named SQL statements, kept in the .sql files of `sql/`."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load(file: str) -> dict[str, str]:
    """The statements of one .sql file by name, in the order in which they stand."""
    text = (files(__package__) / "sql" / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def query(name: str) -> str:
    """One statement of queries.sql."""
    return load("queries.sql")[name]
