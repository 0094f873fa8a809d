"""Every subschema is found once, with its place; data in a schema is no schema."""

from typing import Any

import pytest

from llmbatch.constraints.schema_walk import (
    UnresolvedError,
    children,
    place,
    pointer,
    references,
    resolve,
    subschemas,
)


def pointers(schema: Any) -> list[str]:
    return [one.pointer for one in subschemas(schema)]


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (True, [""]),
        ({}, [""]),
        ({"properties": {"a/b": True, "c~d": {}}}, ["", "/properties/a~1b", "/properties/c~0d"]),
        ({"properties": {"properties": {"properties": {}}}}, ["", "/properties/properties"]),
        ({"items": [{}, {"not": {}}]}, ["", "/items/0", "/items/1", "/items/1/not"]),
        ({"items": {"anyOf": [{}]}}, ["", "/items", "/items/anyOf/0"]),
        ({"prefixItems": [True], "items": False}, ["", "/prefixItems/0", "/items"]),
        ({"dependencies": {"a": ["b"], "c": {}}}, ["", "/dependencies/c"]),
        ({"if": {}, "then": {}, "else": False}, ["", "/if", "/then", "/else"]),
        ({"$defs": {"a": {}}, "definitions": {"b": {}}}, ["", "/$defs/a", "/definitions/b"]),
        ({"patternProperties": {"^a": {}}}, ["", "/patternProperties/^a"]),
        ({"const": {"properties": {"a": {}}}, "enum": [{"items": {}}]}, [""]),
        ({"default": {"not": {}}, "examples": [{"if": {}}], "x-a": {"not": {}}}, [""]),
    ],
)
def test_every_subschema_is_found_in_order(schema: Any, found: list[str]) -> None:
    assert pointers(schema) == found


def test_a_schema_at_an_odd_place_is_found_by_its_reference() -> None:
    schema = {"$ref": "#/components/schemas/A", "components": {"schemas": {"A": {"not": {}}}}}
    assert pointers(schema) == ["", "/components/schemas/A", "/components/schemas/A/not"]


def test_a_schema_that_refers_to_itself_is_walked_once() -> None:
    assert pointers({"items": {"$ref": "#"}}) == ["", "/items"]


def test_references_among_data_are_none() -> None:
    schema = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"enum": [{"$ref": "no"}], "properties": {"$ref": {"type": "string"}}}},
        "examples": [{"$ref": "no"}],
    }
    assert [(one.holder.pointer, one.text) for one in references(schema)] == [("", "#/$defs/a")]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("#", ""),
        ("#/$defs/a~1b", "/$defs/a~1b"),
        ("#/$defs/a%20b", "/$defs/a b"),
        ("#/$defs/list/items/1", "/$defs/list/items/1"),
        ("#name", "/$defs/named"),
        ("#old", "/$defs/old"),
    ],
)
def test_a_reference_is_resolved(reference: str, found: str) -> None:
    schema = {
        "$defs": {
            "a/b": {},
            "a b": {},
            "list": {"items": [{}, {}]},
            "named": {"$anchor": "name"},
            "old": {"$id": "#old"},
        }
    }
    assert resolve(schema, reference).pointer == found


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("other.json", "outside"),
        ("https://x.org/s#/a", "outside"),
        ("#/$defs/none", "nothing"),
        ("#/list/01", "nothing"),
        ("#/list/2", "nothing"),
        ("#none", "nothing"),
    ],
)
def test_a_reference_to_nothing_is_told(reference: str, reason: str) -> None:
    with pytest.raises(UnresolvedError, match=reason):
        resolve({"list": [{}, {}], "enum": [{"$anchor": "none"}]}, reference)


def test_the_way_down_is_that_of_the_keywords() -> None:
    assert [one.path for one in children({"allOf": [{}], "not": {}})] == [("allOf", 0), ("not",)]


def test_a_place_is_written_for_programs_and_for_people() -> None:
    path = ("properties", "a b/c", "anyOf", 0)
    assert pointer(path) == "/properties/a b~1c/anyOf/0"
    assert place(path) == "$.properties['a b/c'].anyOf[0]"
    assert place(()) == "$"
