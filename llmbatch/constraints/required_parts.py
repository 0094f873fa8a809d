"""The properties and items that a value must have, by all the schemas that it must keep."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema.protocols import Validator

from llmbatch.constraints.bounds import Held
from llmbatch.constraints.members import Members
from llmbatch.constraints.schema_walk import Path, Subschema


class RequiredParts:
    """The parts made necessary by `held`: schemas (objects) that one value must keep at once."""

    def __init__(self, held: Held, validator: Validator) -> None:
        self._held = held
        self._validator = validator
        self._required = {
            name: (*one.path, "required") for one in held for name in one.schema.get("required", ())
        }

    def faults(self, kind: str) -> Iterator[tuple[Path, str]]:
        """The faults of an "object" or an "array" that are plain without a look at the schemas of
        its parts: place and reason."""
        yield from self._object_faults() if kind == "object" else self._array_faults()

    def needed(self, kind: str) -> Iterator[Held]:
        """For each part that a value must have: the schemas of the part."""
        if kind == "object":
            for name in self._required:
                yield tuple(part for one in self._held for part in _property(one, name))
            return
        least = max((one.schema.get("minItems", 0) for one in self._held), default=0)
        longest = max(len(one.schema.get("prefixItems", ())) for one in self._held) if least else 0
        for index in range(min(int(least), longest + 1)):
            yield tuple(part for one in self._held for part in _item(one, index))
        for one in self._held:
            if "contains" in one.schema and one.schema.get("minContains", 1) > 0:
                yield (Subschema((*one.path, "contains"), one.schema["contains"]),)

    def _object_faults(self) -> Iterator[tuple[Path, str]]:
        for name, path in self._required.items():
            for one in self._held:
                if reason := self._unnameable(one, name):
                    yield path, f"{name!r} is required, but {reason}"
        for one in self._held:
            most = one.schema.get("maxProperties")
            if most is not None and most < len(self._required):
                count = len(self._required)
                reason = f"allows fewer properties than the {count} that are required"
                yield (*one.path, "maxProperties"), f"{reason}; raise it"
            if one.schema.get("minProperties", 0) > _most_properties(one):
                reason = "asks for more properties than there are names for"
                yield (*one.path, "minProperties"), f"{reason}; lower it"

    def _unnameable(self, one: Subschema, name: str) -> str | None:
        schema = one.schema
        if schema.get("additionalProperties") is False and not list(_property(one, name, True)):
            known = ", ".join(map(repr, list(schema.get("properties", {}))[:5])) or "none"
            return (
                "additionalProperties is false and it is none of the properties "
                f"({known}); add it there or take it out of required"
            )
        names = schema.get("propertyNames")
        if names is not None and not self._validator.evolve(schema=names).is_valid(name):
            return "propertyNames does not allow the name; mend one of them"
        return None

    def _array_faults(self) -> Iterator[tuple[Path, str]]:
        for one in self._held:
            schema, least = one.schema, one.schema.get("minItems", 0)
            if schema.get("items") is False and least > len(schema.get("prefixItems", ())):
                yield (*one.path, "minItems"), "asks for more items than items: false allows"
            choices = _choices(schema.get("items"))
            unique = schema.get("uniqueItems") is True and "prefixItems" not in schema
            if unique and choices is not None and least > choices:
                reason = f"asks for more items than the {choices} different ones there are"
                yield (*one.path, "minItems"), reason


def _property(one: Subschema, name: str, declared: bool = False) -> Iterator[Subschema]:
    """The schemas of a property by one schema; if `declared` only, none for all others."""
    found = False
    if name in one.schema.get("properties", {}):
        found = True
        yield Subschema((*one.path, "properties", name), one.schema["properties"][name])
    for pattern, part in one.schema.get("patternProperties", {}).items():
        if _matches(pattern, name):
            found = True
            yield Subschema((*one.path, "patternProperties", pattern), part)
    if not found and not declared and "additionalProperties" in one.schema:
        rest = one.schema["additionalProperties"]
        yield Subschema((*one.path, "additionalProperties"), rest)


def _matches(pattern: str, name: str) -> bool:
    """True if the pattern allows a name, or cannot be asked."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True


def _item(one: Subschema, index: int) -> Iterator[Subschema]:
    listed = one.schema.get("prefixItems", ())
    if index < len(listed):
        yield Subschema((*one.path, "prefixItems", index), listed[index])
    elif "items" in one.schema:
        yield Subschema((*one.path, "items"), one.schema["items"])


def _most_properties(one: Subschema) -> float:
    closed = one.schema.get("additionalProperties") is False
    if not closed or one.schema.get("patternProperties"):
        return float("inf")
    return sum(part is not False for part in one.schema.get("properties", {}).values())


def _choices(items: Any) -> int | None:
    """The number of different items that a schema of items allows, where it lists them."""
    members = items.get("enum") if isinstance(items, dict) else None
    return members.count if isinstance(members, Members) else None
