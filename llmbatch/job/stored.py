"""The spec that a store holds, read by a version that may know less of it, or more.

A store outlives the llmbatch that wrote it. An unknown key is left out, a value that is not
understood gives way to its default, and a section that is no table counts as an empty one.
"""

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llmbatch.core.stored import json_table
from llmbatch.job.input import with_input_table
from llmbatch.job.spec import JobSpec

# Stands for a value that every job needs.
_UNKNOWN = "unknown"
# Each round leaves out the faults of one level.
_ROUNDS = 8


def read_spec(text: str) -> tuple[JobSpec, list[str]]:
    """The spec of a run, and the keys that are not understood."""
    return _read_table(json_table(text))


def _read_table(kept: Mapping[str, Any]) -> tuple[JobSpec, list[str]]:
    table = with_input_table(copy.deepcopy(dict(kept)))
    odd: list[str] = []
    for _ in range(_ROUNDS):
        try:
            return JobSpec.model_validate(table), odd
        except ValidationError as error:
            for problem in error.errors():
                where = [str(part) for part in problem["loc"]]
                odd.append(".".join(where))
                _leave_out(table, where, is_missing=problem["type"] == "missing")
    needed = dict.fromkeys(("input", "output", "model", "prompt"), _UNKNOWN)
    return JobSpec.model_validate(needed), odd


def read_settings(text: str) -> dict[str, Any]:
    """The spec of a run as plain tables, with every key that this version knows."""
    return settings_of(json_table(text))


def settings_of(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a spec that was read already."""
    return _read_table(kept)[0].model_dump(mode="json", by_alias=True)


def _leave_out(table: dict[str, Any], where: list[str], *, is_missing: bool) -> None:
    """Take the value at `where` out; a value that every job needs gets a stand-in."""
    inner: Any = table
    for part in where[:-1]:
        if not isinstance(inner.get(part), dict):
            # The value of a field that takes one of several kinds.
            inner.pop(part, None)
            return
        inner = inner[part]
    if is_missing and inner is table:
        inner[where[-1]] = _UNKNOWN
    elif where[-1:] and where[-1] in inner:
        taken = inner.pop(where[-1])
        if inner is table and where[-1] in ("input", "output", "model", "prompt"):
            inner[where[-1]] = str(taken) if taken else _UNKNOWN
    elif len(where) > 1:
        # The fault is of the table as a whole.
        table.pop(where[0], None)
