"""Keywords that no grammar knows in words that it does: conditions as alternatives.

Each function gives the schemas that are to hold beside the rest, or None where there are none that
mean the same.
"""

from collections.abc import Mapping
from typing import Any

from llmbatch.constraints.copies.merging import types_of

# More conditions than this would make more alternatives than a grammar should have.
_MOST_CONDITIONS = 4
_KINDS = ("null", "boolean", "object", "array", "number", "string")


def condition(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`if`, `then` and `else` as two alternatives."""
    holds, fails = schema["if"], negated(schema["if"])
    if fails is None:
        return None
    return {
        "anyOf": [
            {"allOf": [holds, schema.get("then", True)]},
            {"allOf": [fails, schema.get("else", True)]},
        ]
    }


def dependencies(schema: Mapping[str, Any], keyword: str) -> list[dict[str, Any]] | None:
    """`dependentRequired` or `dependentSchemas` as two alternatives for each."""
    needs = schema[keyword]
    if len(needs) > _MOST_CONDITIONS:
        return None
    return [
        {
            "anyOf": [
                {"required": [name, *need]}
                if isinstance(need, list)
                else {"allOf": [need], "required": [name]},
                {"properties": {name: False}},
            ]
        }
        for name, need in needs.items()
    ]


def negated(schema: Any) -> Any:
    """The schema of all that a simple one does not allow, which says something of types or of one
    property; None for another."""
    if isinstance(schema, bool):
        return not schema
    keys = set(schema)
    kinds = types_of(schema)
    if keys == {"type"} and kinds is not None:
        return _other_kinds(kinds)
    if not keys <= {"type", "properties", "required"} or kinds not in (None, ["object"]):
        return None
    named, required = schema.get("properties", {}), schema.get("required", [])
    names = {*named, *required}
    if len(names) != 1:
        return None
    (name,) = names
    found = [{"type": "object", "properties": {name: False}}] if required else []
    if name in named:
        part = {name: {"not": named[name]}}
        found.append({"type": "object", "properties": part, "required": [name]})
    if kinds is not None:
        found.append(_other_kinds(kinds))
    return found[0] if len(found) == 1 else {"anyOf": found}


def _other_kinds(kinds: list[str]) -> Any:
    if "integer" in kinds and "number" not in kinds:
        return None
    others = [kind for kind in _KINDS if kind not in kinds]
    return {"type": others} if others else False


def are_disjoint(ours: Any, theirs: Any) -> bool:
    """True if surely no answer is of both of these flat schemas."""
    if ours is False or theirs is False:
        return True
    if _values_differ(ours, theirs) or _types_differ(types_of(ours), types_of(theirs)):
        return True
    shared = set(ours.get("required", ())) & set(theirs.get("required", ()))
    own, other = ours.get("properties", {}), theirs.get("properties", {})
    are_objects = ["object"] == types_of(ours) == types_of(theirs)
    return are_objects and any(
        isinstance(own.get(name), dict)
        and isinstance(other.get(name), dict)
        and _values_differ(own[name], other[name])
        for name in shared
    )


def _values_differ(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    own, other = _values(ours), _values(theirs)
    return own is not None and other is not None and not any(value in other for value in own)


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types_differ(ours: list[str] | None, theirs: list[str] | None) -> bool:
    if ours is None or theirs is None:
        return False
    own, other = set(ours), set(theirs)
    for kinds in (own, other):
        if "number" in kinds:
            kinds.add("integer")
    return not own & other
