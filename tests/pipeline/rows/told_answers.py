"""Answers as a reader of a table has them back, by the schema and the rules of the README."""

import json
from collections.abc import Mapping
from typing import Any

from llmbatch.constraints.column_types import columns_of

Schema = dict[str, Any]


def told(record: Mapping[str, Any], schema: Schema) -> Any:
    """The answer that a record of a table holds, by the schema and the rules of the README."""
    columns = columns_of(schema)
    cells = list(record.values())
    if not columns.parts:
        return value_of(cells[0], columns.whole)
    more = list(record.items())[len(columns.parts) :]
    whole = [cell for name, cell in more if not name.endswith("_rest")]
    if whole and whole[0]:
        return value_of(whole[0], "json")
    parts = zip(columns.parts.items(), cells, strict=False)
    found = {name: value_of(cell, kind) for (name, kind), cell in parts}
    for name, cell in more:
        found |= json.loads(cell) if name.endswith("_rest") and cell else {}
    return found


def value_of(cell: Any, kind: str) -> Any:
    """The value in a cell: what reads as JSON is JSON, but for a column of text."""
    if kind == "text" or not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def shown(answer: Any, schema: Schema, *, tells_empty: bool) -> Any:
    """The part of an answer that a table shows: properties that are null are missing, as all are of
    an answer that is null. `tells_empty`: the table's reader tells an empty text from nothing."""
    nothing = [None] if tells_empty else [None, ""]
    if isinstance(answer, dict) and columns_of(schema).parts:
        return distinct({name: part for name, part in answer.items() if part not in nothing})
    if answer in nothing:
        return {} if columns_of(schema).parts else None
    return distinct(answer)


def distinct(value: Any) -> Any:
    """A value that is equal to others of its kind only: 1.0 is 1, but true is not."""
    if isinstance(value, dict):
        return {name: distinct(part) for name, part in value.items()}
    if isinstance(value, list):
        return [distinct(part) for part in value]
    return str(value) if isinstance(value, bool) else [value] if isinstance(value, str) else value
