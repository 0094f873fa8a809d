"""All that a schema asks of one value, with the branches that were drawn for it."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.constraints.schema_walk import UnresolvedError, resolve

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_MOST_PARTS = 64
_APPLIES = {"object": "properties", "array": "items"}
# Types that keywords speak of, for a schema that names none.
_SPEAKS = {
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
}


class NoInstanceError(Exception):
    """No value was found, or none that is small enough."""


class Conjunction:
    """The parts of a schema that hold for one value together."""

    def __init__(self, parts: list[Mapping[str, Any]]) -> None:
        self.parts = parts

    def all(self, keyword: str) -> list[Any]:
        """The values of a keyword, in the order of the parts."""
        return [part[keyword] for part in self.parts if keyword in part]

    def types(self) -> list[str]:
        """The types that are allowed, or else those that the keywords speak of."""
        allowed = set(TYPES)
        for given in self.all("type"):
            named = {given} if isinstance(given, str) else set(given)
            allowed &= named | ({"integer"} if "number" in named else set())
        if not self.all("type"):
            spoken = {t for t, words in _SPEAKS.items() if any(self.all(word) for word in words)}
            allowed = spoken or allowed
        return [name for name in TYPES if name in allowed]

    def names(self) -> list[str]:
        """The names of the properties, in order."""
        return list(dict.fromkeys(name for part in self.all("properties") for name in part))

    def required(self) -> list[str]:
        """The properties that must be there."""
        return list(dict.fromkeys(name for part in self.all("required") for name in part))


def conjunction(root: Any, schema: Any, chance: random.Random) -> Conjunction:
    """The conjunction of a schema with branches drawn by chance. Raises NoInstanceError."""
    parts: list[Mapping[str, Any]] = []
    waiting = [schema]
    while waiting:
        one = waiting.pop(0)
        if one is False or len(parts) > _MOST_PARTS:
            raise NoInstanceError
        if isinstance(one, Mapping):
            parts.append(one)
            waiting[:0] = _drawn(root, one, chance)
    return Conjunction(parts)


def _drawn(root: Any, schema: Mapping[str, Any], chance: random.Random) -> Iterator[Any]:
    if isinstance(reference := schema.get("$ref"), str):
        yield _target(root, reference)
    yield from schema.get("allOf", ())
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            yield chance.choice(schema[keyword])
    if "if" in schema:
        holds = chance.random() < 0.5
        if holds:
            yield schema["if"]
        yield schema.get("then" if holds else "else", True)
    if chance.random() < 0.5:
        for name, needed in schema.get("dependentRequired", {}).items():
            yield {"required": [name, *needed]}
        yield from schema.get("dependentSchemas", {}).values()


def _target(root: Any, reference: str) -> Any:
    try:
        return resolve(root, reference).schema
    except UnresolvedError as error:
        raise NoInstanceError from error


def every_part(root: Any, schema: Any) -> list[Mapping[str, Any]]:
    """All parts that may speak of a value, whichever branches hold."""
    parts: list[Mapping[str, Any]] = []
    waiting, seen = [schema], set()
    while waiting and len(parts) <= _MOST_PARTS:
        one = waiting.pop(0)
        if not isinstance(one, Mapping) or id(one) in seen:
            continue
        seen.add(id(one))
        parts.append(one)
        if isinstance(reference := one.get("$ref"), str):
            waiting.append(_target(root, reference))
        for keyword in ("allOf", "anyOf", "oneOf"):
            waiting.extend(one.get(keyword, ()))
        waiting.extend(one[keyword] for keyword in ("if", "then", "else") if keyword in one)
        waiting.extend(one.get("dependentSchemas", {}).values())
    return parts
