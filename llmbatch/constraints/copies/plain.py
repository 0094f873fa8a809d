"""Schemas that every backend has always held as the check does, without a copy of their own."""

import re
from typing import Any

from llmbatch.constraints import schema_walk

_ANNOTATIONS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "$defs", "definitions"),
}
_ALONE = ("anyOf", "$ref", "enum", "const")
_HELD = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems"}
_SIMPLE_REFERENCE = re.compile(r"#/(?:\$defs|definitions)/[A-Za-z0-9_]+")
_EXACT_INTEGERS = 2**53


def is_plain(schema: Any) -> bool:
    """True if no keyword of a schema was ever held in another way than it is checked: answers that
    were accepted to it are still right."""
    return all(_is_plain(one.schema) for one in schema_walk.subschemas(schema))


def _is_plain(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema is False
    said = set(schema) - _ANNOTATIONS
    alone = [keyword for keyword in _ALONE if keyword in said]
    if alone:
        beside = said - {alone[0]} - ({"type"} if alone[0] in ("enum", "const") else set())
        values = schema.get("enum", [schema.get("const")])
        reference = schema.get("$ref")
        return (
            not beside
            and all(map(_is_exact, values))
            and (reference is None or bool(_SIMPLE_REFERENCE.fullmatch(reference)))
        )
    if not said <= _HELD or "type" not in said:
        return False
    return _is_plain_object(schema) and (schema["type"] != "array" or "items" in said)


def _is_plain_object(schema: dict[str, Any]) -> bool:
    named = schema.get("properties", {})
    is_object = "object" in schema["type"]
    closed = schema.get("additionalProperties", False) is False
    return not is_object or (
        closed and bool(named) and set(schema.get("required", ())) <= set(named)
    )


def _is_exact(value: Any) -> bool:
    is_exact_integer = isinstance(value, int) and abs(value) < _EXACT_INTEGERS
    return value is None or isinstance(value, str | bool) or is_exact_integer
