"""The place of a key in the job file, for one that stands in another."""

from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.job.fields import leaves
from llmbatch.job.spec import JobSpec

_TOP = "above the first table"


def hint(where: Sequence[str]) -> str:
    """The table to which a key belongs, as a hint; empty where there is no such key anywhere.
    `where`: the tables in which it stands, then its name, which may be written as its flag is."""
    name = where[-1].replace("-", "_")
    tables = [key.rpartition(".")[0] for key, _ in leaves(JobSpec) if _name(key) == name]
    other = [table for table in tables if table != ".".join(where[:-1])]
    if not other:
        return ""
    return f": {name} belongs {' or '.join(_place(table) for table in other)}"


def strayed(missing: str, table: Mapping[str, Any]) -> str:
    """The words for a key of no table that is `missing` because it stands in one; else empty. In
    TOML each key after the head of a table is one of that table."""
    found = [
        name
        for name, inner in table.items()
        if isinstance(inner, Mapping) and missing in inner and missing in JobSpec.model_fields
    ]
    return f": it stands in the table [{found[0]}], and belongs {_TOP}" if found else ""


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _place(table: str) -> str:
    return f"to [{table}]" if table else _TOP
