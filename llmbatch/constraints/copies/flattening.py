"""A schema in its plain form, with its reference and its `allOf` merged into it."""

from collections.abc import Mapping
from typing import Any

from llmbatch.constraints import schema_walk
from llmbatch.constraints.copies.merging import both, merge

# Keywords that say something of an answer; all others only describe it.
MEANING = frozenset(
    {
        *("type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format"),
        *("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
        *("contains", "minContains", "maxContains", "unevaluatedItems"),
        *("properties", "patternProperties", "additionalProperties", "required"),
        *("propertyNames", "minProperties", "maxProperties", "unevaluatedProperties"),
        *("dependentRequired", "dependentSchemas", "$ref"),
    }
)
_MERGED = {"$ref", "allOf"}
# What they see of an answer depends on which of these hold.
_DYNAMIC = ("anyOf", "oneOf", "if", "not", "dependentSchemas", "contains")


class Flattener:
    """Flattens the schemas of one root."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def target(self, schema: Mapping[str, Any]) -> Any:
        """The schema that one stands for which is a reference and nothing else; else None."""
        own = self._own(schema)
        if set(own) == {"$ref"}:
            return schema_walk.resolve(self._root, own["$ref"]).schema
        return None

    def flat(self, schema: Any, inside: tuple[str, ...] = ()) -> Any:
        """The schema without `$ref` and mergeable `allOf`. `inside`: the references that are being
        followed; one to itself alone says nothing."""
        if isinstance(schema, bool):
            return {} if schema else False
        own = self._own(schema)
        before: list[Any] = []
        after: list[Any] = []
        for keyword in [*own]:
            # What comes first in the schema comes first in the answers.
            parts = (
                after if "properties" in own and _is_before("properties", keyword, own) else before
            )
            if keyword == "$ref":
                text = own[keyword]
                if text not in inside:
                    target = schema_walk.resolve(self._root, text).schema
                    parts.append(self.flat(target, (*inside, text)))
            elif keyword == "allOf":
                parts += [self.flat(one, inside) for one in own[keyword]]
        rest = {name: value for name, value in own.items() if name not in _MERGED}
        merged: Any = {}
        for part in (*before, _uniform(rest), *after):
            merged = merge(merged, part)
        return merged if merged is False else _evaluated(merged)

    def _own(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in schema.items() if name in MEANING}


def _is_before(one: str, other: str, schema: Mapping[str, Any]) -> bool:
    names = list(schema)
    return names.index(one) < names.index(other)


def _uniform(schema: dict[str, Any]) -> dict[str, Any]:
    """The types as a list, and `const` as `enum`."""
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind]
    if "const" in schema:
        value = schema.pop("const")
        if "enum" in schema:
            schema["allOf"] = [{"enum": schema["enum"]}]
        schema["enum"] = [value]
    return schema


def _evaluated(schema: dict[str, Any]) -> dict[str, Any]:
    """`unevaluated...` as the plain keyword where all that it looks at is known."""
    for dynamic, plain in (
        ("unevaluatedProperties", "additionalProperties"),
        ("unevaluatedItems", "items"),
    ):
        if dynamic not in schema or (any(name in schema for name in _DYNAMIC)):
            continue
        rest = schema.pop(dynamic)
        if plain not in schema:
            schema[plain] = both(rest)
    return schema
