"""The columns that a schema's answers have in a table, and their types.

A type follows from the kinds of values that a schema allows, looked for through `$ref`, `const`,
`enum`, `allOf`, `anyOf` and `oneOf`; null is no kind of its own, since it leaves a cell empty. The
kinds found are all that an answer can have, or a few more: what other keywords exclude (`not`,
`if`) is not looked at. Nothing here judges a schema; one that is none has simply no columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import Any

from llmbatch.constraints.schema_walk import UnresolvedError, resolve

Kinds = frozenset[str]
"""Kinds of JSON values. A number is an `integer` or a `fraction`, such as 2.5."""

_KINDS: dict[str, Kinds] = {
    **{name: Kinds([name]) for name in ("null", "boolean", "integer", "string", "array", "object")},
    "number": Kinds(["integer", "fraction"]),
}
ANY = Kinds().union(*_KINDS.values())
_NULL = _KINDS["null"]
_COLUMN_TYPES = {
    _KINDS["string"]: "text",
    _KINDS["integer"]: "integer",
    _KINDS["number"]: "number",
    Kinds(["fraction"]): "number",
    _KINDS["boolean"]: "boolean",
}
# In these drafts a reference replaces all that stands beside it.
_LONE_REFERENCES = ("draft-03/", "draft-04/", "draft-06/", "draft-07/")
_NO_VALUE: tuple[Any, ...] = (False, {"not": {}}, {"not": True})


@dataclass(frozen=True, slots=True)
class SchemaColumns:
    """`whole`: the type of a column that takes a whole answer; `parts`: the types of the columns
    of an object's properties, by name, empty if answers are not objects of named properties;
    `has_rest`: True if the schema says that there may be other properties."""

    whole: str
    parts: Mapping[str, str]
    has_rest: bool


def columns_of(schema: Mapping[str, Any]) -> SchemaColumns:
    """The columns of the answers to a schema."""
    try:
        shape = _Reader(schema).read(schema)
    except RecursionError:
        shape = _ANYTHING
    # Without `type` objects are expected where properties are named.
    is_object = shape.kinds == ANY or shape.kinds - _NULL == _KINDS["object"]
    if not is_object or not shape.properties:
        return SchemaColumns(column_type(shape.kinds), {}, False)
    parts = {name: column_type(kinds) for name, kinds in shape.properties.items()}
    return SchemaColumns("json", parts, shape.is_open is True)


def kinds_of(root: Mapping[str, Any], part: Any) -> Kinds:
    """The kinds of values that a part of the schema `root` allows."""
    return _Reader(root).read(part, with_properties=False).kinds


def column_type(kinds: Kinds) -> str:
    """The type of a column of these kinds of values."""
    return _COLUMN_TYPES.get(kinds - _NULL, "json")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The kinds of values that a schema allows, and the kinds of an object's properties by name.
    `is_open`: True if it says that objects may have other properties; None if it says nothing."""

    kinds: Kinds = ANY
    properties: Mapping[str, Kinds] = field(default_factory=dict)
    is_open: bool | None = None

    def both(self, other: "_Shape") -> "_Shape":
        """The shape of the values that are of this and of the other one."""
        said = {self.is_open, other.is_open} - {None}
        return _Shape(
            self.kinds & other.kinds,
            self._merged(other, ANY, Kinds.intersection),
            all(said) if said else None,
        )

    def either(self, other: "_Shape") -> "_Shape":
        """The shape of the values that are of this or of the other one."""
        said = {self.is_open, other.is_open}
        return _Shape(
            self.kinds | other.kinds,
            self._merged(other, Kinds(), Kinds.union),
            True if True in said else None if None in said else False,
        )

    def with_names_of(self, other: "_Shape") -> "_Shape":
        """This shape with the properties that only the other one names."""
        return _Shape(self.kinds, {**other.properties, **self.properties}, self.is_open)

    def _merged(self, other: "_Shape", absent: Kinds, merge: Any) -> dict[str, Kinds]:
        names = dict.fromkeys([*self.properties, *other.properties])
        return {
            name: merge(self.properties.get(name, absent), other.properties.get(name, absent))
            for name in names
        }


_ANYTHING = _Shape()


class _Reader:
    """Reads the shapes of a schema and its parts, each once."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        dialect = str(root.get("$schema"))
        self._lone_references = any(draft in dialect for draft in _LONE_REFERENCES)
        # By the identity of a schema, which lives as long as the root does.
        self._known: dict[tuple[int, bool], _Shape] = {}

    def read(self, schema: Any, *, with_properties: bool = True) -> _Shape:
        """The shape of a schema. Where it refers to itself it allows anything."""
        if not isinstance(schema, dict):
            return _Shape(Kinds()) if schema is False else _ANYTHING
        key = (id(schema), with_properties)
        if key not in self._known:
            self._known[key] = _ANYTHING
            self._known[key] = self._read(schema, with_properties)
        return self._known[key]

    def _read(self, schema: Mapping[str, Any], with_properties: bool) -> _Shape:
        def read(part: Any) -> _Shape:
            return self.read(part, with_properties=with_properties)

        reference = schema.get("$ref")
        referred = [self._target(reference)] if isinstance(reference, str) else []
        if referred and self._lone_references:
            return read(referred[0])
        shape = _Shape(_own_kinds(schema), *self._own_properties(schema, with_properties))
        for part in [*referred, *_listed(schema, "allOf")]:
            shape = shape.both(read(part))
        for keyword in ("anyOf", "oneOf"):
            if branches := [read(part) for part in _listed(schema, keyword)]:
                shape = shape.both(reduce(_Shape.either, branches))
        for part in _conditional(schema):
            shape = shape.with_names_of(read(part))
        return shape

    def _own_properties(
        self, schema: Mapping[str, Any], wanted: bool
    ) -> tuple[dict[str, Kinds], bool | None]:
        declared = schema.get("properties")
        if not wanted or not isinstance(declared, dict):
            return {}, _is_open(schema)
        kinds = {
            name: self.read(part, with_properties=False).kinds for name, part in declared.items()
        }
        return kinds, _is_open(schema)

    def _target(self, reference: str) -> Any:
        try:
            return resolve(self._root, reference).schema
        except UnresolvedError:
            return True


def _own_kinds(schema: Mapping[str, Any]) -> Kinds:
    """The kinds by `type`, `const` and `enum`, whatever else there is."""
    kinds = ANY
    declared = schema.get("type")
    if declared is not None:
        names = declared if isinstance(declared, list) else [declared]
        # In old drafts a type may be a schema, or "any".
        known = [_KINDS.get(name, ANY) if isinstance(name, str) else ANY for name in names]
        kinds &= Kinds().union(*known)
    if "const" in schema:
        kinds &= _kinds_of(schema["const"])
    if isinstance(schema.get("enum"), list):
        kinds &= Kinds().union(*map(_kinds_of, schema["enum"]))
    return kinds


def _kinds_of(value: Any) -> Kinds:
    """The kinds of one value; 2.0 is an integer to JSON Schema, and is written as a fraction."""
    if isinstance(value, float | Decimal):
        return _KINDS["number"] if value == value // 1 else Kinds(["fraction"])
    if isinstance(value, list | dict):
        return _KINDS["array" if isinstance(value, list) else "object"]
    simple = {type(None): "null", bool: "boolean", int: "integer", str: "string"}
    return _KINDS.get(simple.get(type(value), ""), ANY)


def _is_open(schema: Mapping[str, Any]) -> bool | None:
    """True if a schema says that there may be properties that it does not name; None if it says
    nothing of them."""
    if schema.get("patternProperties"):
        return True
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if keyword in schema:
            return schema[keyword] not in _NO_VALUE
    return None


def _listed(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    parts = schema.get(keyword)
    return parts if isinstance(parts, list) else []


def _conditional(schema: Mapping[str, Any]) -> Iterator[Any]:
    """The parts that hold for some of the answers only."""
    yield from (schema[keyword] for keyword in ("then", "else") if keyword in schema)
    dependent: Any = schema.get("dependentSchemas")
    yield from dependent.values() if isinstance(dependent, dict) else ()
