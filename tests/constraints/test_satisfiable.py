"""A schema that no answer can keep is refused with the place; one that some answer keeps never."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.constraints import answer_json, intake, json_check, satisfiable
from llmbatch.core.errors import UsageError

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
NODE = {"type": "object", "required": ["next"]}


def refusal(schema: Any) -> str:
    with pytest.raises(UsageError) as caught:
        intake.take(schema)
    return str(caught.value)


def inside(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}}


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"enum": []}, ".enum: is empty"),
        ({"type": "string", "enum": [1, 2]}, ".enum: none of its values is allowed"),
        ({"type": "string", "const": 1}, ".const: its value is not allowed"),
        ({"enum": ["ab"], "maxLength": 1}, ".enum: none"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, ".minimum: leaves nothing beside $.prop"),
        ({"minimum": 5, "maximum": 3}, ".minimum: leaves nothing"),
        ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, ".exclusiveMinimum"),
        ({"type": "number", "minimum": 1, "exclusiveMaximum": 1}, ".minimum"),
        ({"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5}, ".minimum"),
        ({"type": "number", "minimum": 0.11, "maximum": 0.19, "multipleOf": 0.1}, ".minimum"),
        ({"type": "string", "minLength": 4, "maxLength": 3}, ".minLength"),
        ({"type": "array", "minItems": 4, "maxItems": 3}, ".minItems"),
        ({"type": "object", "minProperties": 4, "maxProperties": 3}, ".minProperties"),
        ({"allOf": [TEXT, INTEGER]}, ".allOf[1].type: no type is left beside $.properties.x.allOf"),
        ({"type": "string", "allOf": [INTEGER]}, ".allOf[0].type"),
        ({"$ref": "#/$defs/text", "type": "integer"}, "$.$defs.text.type: no type is left"),
        ({"allOf": [{"minimum": 5, "type": "integer"}, {"maximum": 3}]}, ".allOf[0].minimum"),
        ({"allOf": [{"minLength": 5, "type": "string"}, {"maxLength": 3}]}, ".allOf[0].minLength"),
        ({"anyOf": [{"type": "string"}], "type": "integer"}, ".anyOf: no choice can be met"),
        ({"oneOf": [{"const": 1}, {"const": 2}], "type": "string"}, ".oneOf: no choice"),
        ({"type": "array", "items": False, "minItems": 1}, ".minItems: asks for more items"),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}, ".minItems"),
        ({"type": "array", "prefixItems": [False], "minItems": 1}, ".prefixItems[0]: allows no"),
        ({"type": "array", "uniqueItems": True, "items": {"enum": [1, 1.0]}, "minItems": 2}, "1 d"),
        ({"type": "array", "contains": {"enum": []}}, ".contains.enum"),
    ],
)
def test_a_contradiction_is_refused_with_its_place(part: Any, place: str) -> None:
    schema = inside(part) | {"$defs": {"text": TEXT}}
    assert place in refusal(schema)


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"required": ["z"], "additionalProperties": False, "properties": {"a": TEXT}}, "'z'"),
        ({"required": ["z"], "patternProperties": {"^a": {}}, "additionalProperties": False},
         "'z'"),
        ({"allOf": [{"required": ["z"], "type": "object"}, {"properties": {"a": {}},
          "additionalProperties": False}]}, "$.allOf[0].required: 'z'"),
        ({"required": ["a"], "properties": {"a": False}}, "$.properties.a: allows no value"),
        ({"required": ["a"], "propertyNames": {"enum": ["b"]}}, "propertyNames does not allow"),
        ({"required": ["a", "b"], "maxProperties": 1}, "$.maxProperties: allows fewer"),
        ({"minProperties": 2, "additionalProperties": False, "properties": {"a": {}, "b": False}},
         "$.minProperties: asks for more"),
    ],
)  # fmt: skip
def test_a_required_name_that_no_answer_can_have_is_refused(schema: Any, place: str) -> None:
    assert place in refusal({"type": "object"} | schema)


@pytest.mark.parametrize(
    "schema",
    [
        NODE | {"properties": {"next": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {
            "a": NODE | {"properties": {"next": {"$ref": "#/$defs/b"}}},
            "b": NODE | {"properties": {"next": {"$ref": "#/$defs/a"}}}}},
        NODE | {"properties": {"next": {"type": "array", "minItems": 1, "items": {"$ref": "#"}}}},
        NODE | {"additionalProperties": {"$ref": "#"}},
        NODE | {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        inside({"$ref": "#/$defs/a"}) | {"$defs": {
            "a": NODE | {"properties": {"next": {"$ref": "#/$defs/a"}}}}},
    ],
)  # fmt: skip
def test_recursion_without_end_is_refused(schema: Any) -> None:
    assert "without end" in refusal(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {
            "$ref": "#/$defs/a"}}},
        {"type": "object", "not": {"$ref": "#"}},
    ],
)  # fmt: skip
def test_a_schema_that_comes_back_to_itself_at_one_value_is_refused(schema: Any) -> None:
    assert "refers to itself" in refusal(schema)


@pytest.mark.parametrize(
    "schema",
    [
        inside(False),
        inside({"not": {}}),
        {"type": "object", "required": ["z"]},
        {"type": "object", "required": ["z"], "additionalProperties": TEXT},
        {"required": ["zz"], "additionalProperties": False, "patternProperties": {"^z": {}}},
        NODE | {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        NODE | {"properties": {"next": {"type": "array", "items": {"$ref": "#"}}}},
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"type": ["string", "integer"], "maxLength": 2, "minimum": 3},
        {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "number", "minimum": 0.1, "maximum": 0.3, "multipleOf": 0.1},
        {"type": "string", "enum": ["a", None]},
        {"$defs": {"unused": {"enum": []}}, "type": "string"},
        {"if": {"enum": []}, "then": False, "type": "string"},
        {"type": "string", "not": {"minLength": 3, "maxLength": 2}},
        {"anyOf": [{"not": {}}, TEXT]},
        {"type": "array", "minItems": 3, "prefixItems": [TEXT], "items": INTEGER},
        {"type": "integer", "minimum": 9007199254740993, "maximum": 9007199254740993},
    ],
)
def test_what_an_answer_can_keep_is_taken(schema: Any) -> None:
    intake.take(schema)


def test_a_long_way_down_is_no_recursion_without_end() -> None:
    nodes: dict[str, Any] = {}
    for n in range(120):
        part = {"$ref": f"#/$defs/{n + 1}"} if n < 119 else TEXT
        other = {"anyOf": [{"$ref": f"#/$defs/{n * 7 % 120}"}, {"type": "null"}]}
        nodes[str(n)] = {"type": "object", "properties": {"a": other, "b": part}}
        nodes[str(n)]["required"] = ["a", "b"]
    exact = {"$ref": "#/$defs/0", "$defs": nodes}
    assert satisfiable.fault_of(exact, json_check.validator(exact)) is None
    nodes["119"]["properties"]["b"] = {"$ref": "#/$defs/60"}
    fault = satisfiable.fault_of(exact, json_check.validator(exact))
    assert fault
    assert "without end" in fault.reason


NUMBERS = st.sampled_from([0, 1, 2, 3, 0.5])
SIZES = st.integers(0, 3)
NAMES = st.sampled_from(["a", "b"])
TYPES = st.sampled_from(["string", "integer", "number", "object", "array", "null", "boolean"])
ATOMS = st.sampled_from([None, True, 0, 1, 2, 0.5, "", "a", "bb"])
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, 3, 0.5, 1.5, -1, 4, "", "a", "bb", "ccc", "dddd", [], {}),
    *([1], ["a"], [None], [1, 2], ["a", "b"], [1, "a", None], [[]], [{}], {"a": 1}, {"b": "a"}),
    *({"a": "a", "b": 1}, {"a": {}}, {"a": None, "b": None}, {"a": [], "b": {}}, {"c": 1}),
    *({"a": 1, "b": 1, "c": 1}, {"a": 0.5}, {"a": 2, "b": 2}, {"a": True}, [0.5], [True, False]),
]


def schemas() -> st.SearchStrategy[Any]:
    def grown(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries(
            {},
            optional={
                "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
                "enum": st.lists(ATOMS, max_size=2),
                **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum"], NUMBERS),
                **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], SIZES),
                **dict.fromkeys(["minProperties", "maxProperties"], SIZES),
                "properties": st.dictionaries(NAMES, below, max_size=2),
                "required": st.lists(NAMES, unique=True, max_size=2),
                **dict.fromkeys(["additionalProperties", "items", "contains"], below),
                "prefixItems": st.lists(below, min_size=1, max_size=2),
                **dict.fromkeys(["allOf", "anyOf"], st.lists(below, min_size=1, max_size=2)),
                "propertyNames": st.just({"maxLength": 1}),
            },
        )

    return st.recursive(st.booleans() | grown(st.booleans()), grown, max_leaves=4)


@settings(max_examples=40, deadline=None)
@given(schemas())
def test_no_schema_is_found_at_fault_that_a_value_keeps(schema: Any) -> None:
    exact = answer_json.read(json.dumps(schema))
    json_check.prepare(exact)
    fault = satisfiable.fault_of(exact, json_check.validator(exact))
    plain = jsonschema.Draft202012Validator(schema)
    kept = [value for value in VALUES if plain.is_valid(value)] if fault else []
    assert not kept, fault
