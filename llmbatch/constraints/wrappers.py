"""The requests of APIs around a schema, which are no part of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from llmbatch.constraints.keywords import CONSTRAINING
from llmbatch.constraints.schema_walk import Path, place
from llmbatch.core.errors import UsageError

# Keys under which APIs have a schema, or another wrapper.
_INNER = (
    *("schema", "json_schema", "response_format", "format", "text", "function", "parameters"),
    *("input_schema", "inputSchema", "response_schema", "responseSchema", "guided_json"),
)
# Values of `type` that are none of JSON Schema.
_KINDS = ("json_schema", "function", "json_object")


class Unwrapped(NamedTuple):
    """A schema, and the path to it in what was given; empty if nothing was around it."""

    schema: Any
    path: Path


def unwrap(given: Any) -> Unwrapped:
    """The schema itself. Raises UsageError if there is none, or if it cannot be told."""
    path: Path = ()
    schema = given
    while isinstance(schema, Mapping) and (key := _inner(schema, path)):
        path, schema = (*path, key), schema[key]
    if isinstance(schema, Mapping) and schema.get("type") in _KINDS:
        raise UsageError(
            f"schema: {place((*path, 'type'))}: {schema['type']!r} is no type of JSON Schema, and "
            "no schema stands beside it; give the schema itself"
        )
    return Unwrapped(schema, path)


def _inner(schema: Mapping[str, Any], path: Path) -> str | None:
    """The key under which the schema is, if `schema` only stands around it."""
    keys = [key for key in _INNER if isinstance(schema.get(key), Mapping)]
    own = sorted(key for key in schema if key in CONSTRAINING and key not in keys)
    if schema.get("type") in _KINDS:
        own.remove("type")
    if not keys:
        return None
    if not own and len(keys) == 1:
        return keys[0]
    places = " and ".join(place((*path, key)) for key in keys)
    beside = f", beside {own[0]!r} of its own" if own else ""
    raise UsageError(
        f"schema: {places}: a schema seems to stand there{beside}; give the schema alone"
    )
