"""The settings of a call, by the names of the spec, in the shape of a job file."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.job.fields import leaves
from llmbatch.job.spec import JobSpec

Table = dict[str, Any]


def to_table(given: Mapping[str, Any]) -> Table:
    """Keyword arguments as a job file has them. A key of a table may be given by its own name
    (`max_tokens=64`) or in its table (`sampling={"max_tokens": 64}`).

    Raises UsageError for a name that is none, with the nearest.
    """
    table: Table = {}
    tables = {field.alias or name for name, field in JobSpec.model_fields.items()}
    for name, value in given.items():
        if value is None:
            continue
        if name in tables:
            _put(table, (name,), _plain(name, value))
        elif name in _paths():
            _put(table, _paths()[name], _plain(name, value))
        else:
            known = [*tables, *_paths()]
            raise UsageError(f"{name}: there is no such setting{nearest(name, known)}")
    return table


@cache
def _paths() -> dict[str, tuple[str, ...]]:
    """The keys in tables, by their own names."""
    keys = (key.split(".") for key, _ in leaves(JobSpec) if "." in key)
    return {parts[-1]: tuple(parts) for parts in keys if parts[-1] != "name"}


def _put(table: Table, path: tuple[str, ...], value: Any) -> None:
    *sections, name = path
    for section in sections:
        table = table.setdefault(section, {})
    if isinstance(value, Mapping) and isinstance(table.get(name), dict):
        table[name] |= value
    else:
        table[name] = value


def _plain(name: str, value: Any) -> Any:
    """A value as a job file could hold it: of a path its name, of a model of pydantic's its JSON
    Schema, of a table its entries."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if name == "schema" and hasattr(value, "model_json_schema"):
        return value.model_json_schema()
    if isinstance(value, Mapping):
        return {key: _plain(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain("", inner) for inner in value]
    return value
