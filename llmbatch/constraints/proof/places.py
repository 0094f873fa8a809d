"""The place of a fault: where in an answer a grammar stopped, and which keyword speaks of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from llmbatch.constraints.proof.conjunction import NoInstanceError, every_part
from llmbatch.constraints.schema_walk import Path, place

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}:\s]+")
# The first of them that a schema has is named.
_NAMED = (
    *("const", "enum", "pattern", "format", "minLength", "maxLength", "multipleOf"),
    *("exclusiveMinimum", "exclusiveMaximum", "minimum", "maximum", "not", "if", "oneOf"),
    *("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
    *("minProperties", "maxProperties", "uniqueItems", "contains", "prefixItems"),
    *("minItems", "maxItems", "required", "additionalProperties", "items", "anyOf", "type"),
)


def path_at(text: str, offset: int) -> Path:
    """The path of the value in which a position of a JSON text lies."""
    path: list[str | int] = []
    is_name = False
    position = 0
    while position <= min(offset, len(text) - 1):
        character = text[position]
        found = (_STRING if character == '"' else _SCALAR).match(text, position)
        if character in "{[":
            path.append("" if character == "{" else 0)
            is_name = character == "{"
        elif character in "}]" and path:
            path.pop()
        elif character == "," and path:
            is_name = isinstance(path[-1], str)
            path[-1] = "" if is_name else int(path[-1]) + 1
        elif found:
            if is_name and character == '"':
                path[-1], is_name = _name(found[0]), False
            position = found.end() - 1
        position += 1
    return tuple(path[:-1] if path and path[-1] == "" else path)


def _name(written: str) -> str:
    try:
        return str(json.loads(written))
    except ValueError:
        return written


def general(path: Path) -> str:
    """A path with all items of an array as one, such as `$.tags[]`."""
    return re.sub(r"\[\d+\]", "[]", place(path))


def keyword_at(root: Any, path: Path) -> str:
    """The keyword of a schema that most likely speaks of the value at a path; empty if none."""
    parts = every_part(root, root)
    for step in path:
        below = [one for part in parts for one in _below(part, step)]
        parts = [one for schema in below for one in _parts(root, schema)]
    found = {keyword for part in parts for keyword in part}
    return next((keyword for keyword in _NAMED if keyword in found), "")


def _parts(root: Any, schema: Any) -> list[Any]:
    try:
        return list(every_part(root, schema))
    except NoInstanceError:
        return []


def _below(part: Any, step: str | int) -> Iterator[Any]:
    if isinstance(step, int):
        prefix = part.get("prefixItems", [])
        yield prefix[step] if step < len(prefix) else part.get("items", True)
    elif step in part.get("properties", {}):
        yield part["properties"][step]
    else:
        yield from part.get("patternProperties", {}).values()
        yield part.get("additionalProperties", True)
