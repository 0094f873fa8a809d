"""The types of columns, for schemas as people and programs write them."""

from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from llmbatch.constraints.column_types import columns_of

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NULL = {"type": "null"}
COLOR = {"title": "Color", "enum": ["red", "blue"], "type": "string"}
OBJECT = {"type": "object", "properties": {"s": STRING, "i": INTEGER}}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DEFINITIONS = {
    "Color": COLOR,
    "Amount": {"$ref": "#/$defs/Number"},
    "Number": {"type": "number"},
    "Node": {"properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, NULL]}}},
    "Endless": {"$ref": "#/$defs/Endless"},
    "a/b c": {"type": "boolean"},
    "named": {"$anchor": "here", "const": 4},
}


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (STRING, "text"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "string", "format": "date-time"}, "text"),
        ({"type": "string", "nullable": True}, "text"),
        ({"type": "number"}, "number"),
        ({"type": ["integer", "number"]}, "number"),
        ({"type": ["integer", "string"]}, "json"),
        ({"type": "array", "items": STRING}, "json"),
        (OBJECT, "json"),
        (True, "json"),
        ({}, "json"),
        (False, "json"),
        (NULL, "json"),
        ({"const": "a"}, "text"),
        ({"const": 1}, "integer"),
        ({"const": 0.5}, "number"),
        ({"const": False}, "boolean"),
        ({"const": None}, "json"),
        ({"const": ["a"]}, "json"),
        ({"enum": ["a", "b"]}, "text"),
        ({"enum": ["a", None]}, "text"),
        ({"enum": [1, 2]}, "integer"),
        ({"enum": [0.1, 1]}, "number"),
        ({"enum": [1.0, 2.0]}, "number"),
        ({"enum": [1.0], "type": "integer"}, "integer"),
        ({"enum": [True, 1]}, "json"),
        ({"enum": ["a", 1], "type": "string"}, "text"),
        ({"anyOf": [STRING, NULL]}, "text"),
        ({"oneOf": [NULL, INTEGER], "default": None}, "integer"),
        ({"anyOf": [INTEGER, {"type": "number"}]}, "number"),
        ({"anyOf": [INTEGER, STRING]}, "json"),
        ({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "string"}]}, "text"),
        ({"anyOf": [{"minimum": 1}, {"minimum": 2}], "type": "integer"}, "integer"),
        ({"allOf": [{"$ref": "#/$defs/Color"}], "default": "red"}, "text"),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]}, "integer"),
        ({"$ref": "#/$defs/Color"}, "text"),
        ({"$ref": "#/$defs/Color", "description": "of it"}, "text"),
        ({"anyOf": [{"$ref": "#/$defs/Amount"}, NULL]}, "number"),
        ({"$ref": "#here"}, "integer"),
        ({"$ref": "#/$defs/a~1b%20c"}, "boolean"),
        ({"$ref": "#/$defs/Node"}, "json"),
        ({"$ref": "#/$defs/Endless"}, "json"),
        ({"$ref": "#/$defs/nowhere"}, "json"),
        ({"$ref": "#"}, "json"),
        ({"$ref": "#/$defs/Color", "type": "integer"}, "json"),
        ({"type": "any"}, "json"),
        ({"type": [STRING]}, "json"),
        ({"not": {}}, "json"),
        ("no schema", "json"),
    ],
)
def test_the_type_of_a_property(part: Any, kind: str) -> None:
    schema = {"type": "object", "properties": {"a": part}, "$defs": DEFINITIONS}
    assert columns_of(schema).parts == {"a": kind}


def test_before_draft_2019_a_reference_stands_for_itself() -> None:
    schema = {
        "$schema": DRAFT_7,
        "definitions": {"Color": COLOR},
        "properties": {"a": {"$ref": "#/definitions/Color", "type": "integer"}},
    }
    assert columns_of(schema).parts == {"a": "text"}


@pytest.mark.parametrize(
    ("schema", "whole"),
    [
        ({}, "json"),
        (STRING, "text"),
        ({"anyOf": [INTEGER, NULL]}, "integer"),
        ({"type": "array", "items": OBJECT}, "json"),
        ({"type": "object", "additionalProperties": INTEGER}, "json"),
        ({"anyOf": [OBJECT, STRING]}, "json"),
        ({"properties": "none"}, "json"),
    ],
)
def test_an_answer_that_is_no_object_of_named_properties_is_whole(schema: Any, whole: str) -> None:
    columns = columns_of(schema)
    assert (columns.whole, columns.parts, columns.has_rest) == (whole, {}, False)


FOUND = {"s": "text", "i": "integer"}


@pytest.mark.parametrize(
    "schema",
    [
        OBJECT,
        {"properties": OBJECT["properties"]},
        OBJECT | {"type": ["object", "null"]},
        {"$ref": "#/$defs/root", "$defs": {"root": OBJECT}},
        {"$schema": DRAFT_7, "$ref": "#/definitions/Name", "definitions": {"Name": OBJECT}},
        {"allOf": [{"$ref": "#/$defs/root"}], "$defs": {"root": OBJECT}},
        {"anyOf": [{"$ref": "#/$defs/root"}, NULL], "$defs": {"root": OBJECT}},
        {"allOf": [{"properties": {"s": STRING}}, {"properties": {"i": INTEGER}}]},
        {"properties": {"s": STRING}, "allOf": [{"$ref": "#/$defs/base"}],
         "$defs": {"base": {"type": "object", "properties": {"i": INTEGER}}}},
        {"properties": {"s": {}}, "anyOf": [OBJECT, OBJECT], "type": "object"},
        OBJECT | {"anyOf": [{"required": ["s"]}, {"required": ["i"]}]},
        {"properties": {"s": STRING}, "if": {"required": ["s"]},
         "then": {"properties": {"i": INTEGER}}},
        {"properties": {"s": STRING}, "dependentSchemas": {"s": {"properties": {"i": INTEGER}}}},
    ],
)  # fmt: skip
def test_the_properties_of_an_answer_are_looked_for(schema: Any) -> None:
    assert columns_of(schema).parts == FOUND


def test_a_union_of_objects_has_the_properties_of_all() -> None:
    cat = {"type": "object", "properties": {"kind": {"const": "cat"}, "n": INTEGER, "x": STRING}}
    dog = {"type": "object", "properties": {"kind": {"const": "dog"}, "n": {"type": "number"},
                                            "x": INTEGER, "only": STRING}}  # fmt: skip
    union = {"oneOf": [{"$ref": "#/$defs/cat"}, dog], "$defs": {"cat": cat},
             "discriminator": {"propertyName": "kind"}}  # fmt: skip
    assert columns_of(union).parts == {"kind": "text", "n": "number", "x": "json", "only": "text"}


@pytest.mark.parametrize(
    ("more", "has_rest"),
    [
        ({}, False),
        ({"additionalProperties": True}, True),
        ({"additionalProperties": {}}, True),
        ({"additionalProperties": INTEGER}, True),
        ({"unevaluatedProperties": True}, True),
        ({"additionalProperties": False}, False),
        ({"additionalProperties": {"not": {}}}, False),
        ({"unevaluatedProperties": False}, False),
        ({"additionalProperties": False, "patternProperties": {"^x-": {}}}, True),
        ({"allOf": [{"additionalProperties": True}]}, True),
        ({"additionalProperties": False, "allOf": [{"additionalProperties": True}]}, False),
        ({"anyOf": [{"additionalProperties": True}, {"additionalProperties": False}]}, True),
    ],
)
def test_other_properties_are_expected_where_the_schema_says_so(more: Any, has_rest: bool) -> None:
    assert columns_of(OBJECT | more).has_rest is has_rest


def test_parts_that_are_used_again_and_again_are_read_once() -> None:
    """There are 2**60 ways through these."""
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    schema = {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": twice | {"d60": INTEGER}}
    assert columns_of(schema).parts == {"a": "integer"}


def test_a_schema_that_is_nested_without_measure_has_one_column() -> None:
    deep: Any = STRING
    for _ in range(5_000):
        deep = {"anyOf": [deep]}
    assert columns_of({"properties": {"a": deep}}).parts == {}


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(BaseModel):
    kind: Literal["point"] = "point"
    x: int
    next: "Point | None" = None


class Order(BaseModel):
    model_config = ConfigDict(extra="allow")

    kind: Literal["order"] = "order"
    number: str | None = None
    color: Color = Field(Color.RED, description="of it")
    level: Level | None = None
    amount: float | None
    gift: bool | None
    points: list[Point]
    first: Point | None
    either: int | str


ORDER = {"kind": "text", "number": "text", "color": "text", "level": "integer", "amount": "number",
         "gift": "boolean", "points": "json", "first": "json", "either": "json"}  # fmt: skip
POINT = {"kind": "text", "x": "integer", "next": "json"}


def test_the_columns_of_models() -> None:
    assert columns_of(Order.model_json_schema()).parts == ORDER
    assert columns_of(Order.model_json_schema()).has_rest
    assert columns_of(Point.model_json_schema()).parts == POINT
    assert columns_of(RootModel[Order].model_json_schema()).parts == ORDER
    either = RootModel[Annotated[Point | Order, Field(discriminator="kind")]]
    assert columns_of(either.model_json_schema()).parts == POINT | ORDER
    assert columns_of(RootModel[list[Point]].model_json_schema()).parts == {}
