"""A schema is read as it is meant, in one plain form, or refused with the place of its fault."""

import json
from typing import Any

import pytest

from llmbatch.constraints import intake
from llmbatch.constraints.check import make_check
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint

TEXT = {"type": "string"}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def refusal(schema: Any) -> str:
    with pytest.raises(UsageError) as caught:
        intake.take(schema)
    said = str(caught.value)
    assert said.startswith("schema: ")
    assert "\n" not in said
    return said


def verdicts(schema: Any, *values: Any) -> list[bool]:
    """For each value: True if it is accepted."""
    check = make_check(Constraint("json", json.dumps(schema)))
    return [check(json.dumps(value)) is None for value in values]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"name": "x", "strict": True, "schema": TEXT}, "$.schema"),
        ({"name": "x", "description": "d", "schema": TEXT}, "$.schema"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": TEXT}}, "schema.schema"),
        ({"type": "json_schema", "name": "x", "schema": TEXT}, "$.schema"),
        ({"format": {"type": "json_schema", "name": "x", "schema": TEXT}}, "$.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": TEXT}}}, "$.text.format.schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": TEXT}}}, "format."),
        ({"type": "function", "function": {"name": "f", "parameters": TEXT}}, "$.function.param"),
        ({"type": "function", "name": "f", "parameters": TEXT, "strict": True}, "$.parameters"),
        ({"name": "f", "input_schema": TEXT}, "$.input_schema"),
        ({"name": "f", "inputSchema": TEXT}, "$.inputSchema"),
        ({"responseMimeType": "application/json", "responseSchema": TEXT}, "$.responseSchema"),
    ],
)
def test_what_stands_around_a_schema_is_taken_off(given: Any, place: str) -> None:
    taken = intake.take(given)
    assert taken.schema == TEXT
    assert place in taken.notices[0]
    assert taken.meaning == {"plain": '{"type":"string"}'}


def test_a_fault_within_a_wrapper_is_told_with_its_place_in_the_file() -> None:
    wrapped = {"type": "json_schema", "json_schema": {"schema": {"type": "array", "item": TEXT}}}
    assert "schema: $.json_schema.schema.item: unknown keyword" in refusal(wrapped)
    assert "$.schema.type: 'strnig' is no type" in refusal({"schema": {"type": "strnig"}})


@pytest.mark.parametrize(
    "given",
    [
        TEXT,
        {"type": "object", "properties": {"schema": {"type": "object"}, "format": {}, "name": {}}},
        {"properties": {"json_schema": {"properties": {"schema": {"type": "object"}}}}},
        {"enum": [{"schema": {"type": "string"}}]},
    ],
)
def test_properties_named_like_wrappers_stay(given: Any) -> None:
    taken = intake.take(given)
    assert taken.schema == given
    assert "plain" not in taken.meaning


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"type": "json_object"}, "$.type: 'json_object' is no type of JSON Schema"),
        ({"type": "json_schema", "json_schema": {"type": "function"}}, "json_schema.type: 'func"),
        ({"type": "object", "schema": TEXT}, "$.schema: a schema seems to stand there, beside 'ty"),
        ({"schema": TEXT, "parameters": TEXT}, "$.schema and $.parameters: a schema seems"),
    ],
)
def test_a_wrapper_that_says_two_things_is_refused(given: Any, reason: str) -> None:
    assert reason in refusal(given)


@pytest.mark.parametrize(
    ("given", "place", "meant"),
    [
        ({"propertys": {"a": {}}}, "$.propertys", "properties"),
        (
            {"properties": {"a": {"type": "string", "maxLenght": 3}}},
            "$.properties.a.maxL",
            "maxLen",
        ),
        ({"properties": {"a": {"max_length": 3}}}, "$.properties.a.max_length", "maxLength"),
        ({"anyOf": [{"type": "null"}, {"enums": ["a"]}]}, "$.anyOf[1].enums", "enum"),
        ({"type": "object", "require": ["a"]}, "$.require", "required"),
        ({"type": "object", "Required": ["a"]}, "$.Required", "required"),
        ({"type": "object", "additionalproperties": False}, "", "additionalProperties"),
        ({"type": "object", "additional_properties": False}, "", "additionalProperties"),
        ({"type": "object", "patternProperty": {"a": {}}}, "", "patternProperties"),
        ({"any_of": [TEXT]}, "$.any_of", "anyOf"),
        ({"oneof": [TEXT]}, "$.oneof", "oneOf"),
        ({"$defs": {"a": TEXT}, "type": "array", "items": {"ref": "#/$defs/a"}}, "items.ref", "$r"),
        ({"type": "array", "item": TEXT}, "$.item", "items"),
        ({"type": "string", "patern": "a"}, "$.patern", "pattern"),
        ({"type": "integer", "minimun": 1}, "$.minimun", "minimum"),
        ({"tpye": "string"}, "$.tpye", "type"),
    ],
)
def test_a_misspelt_keyword_is_refused_with_the_right_one(
    given: Any, place: str, meant: str
) -> None:
    said = refusal(given)
    assert place in said
    assert f"(did you mean '{meant}" in said


@pytest.mark.parametrize(
    "more",
    [
        {"title": "a", "description": "b", "$comment": "c", "default": 1, "examples": [{"a": 1}]},
        {"x-order": 1, "deprecated": True, "readOnly": True, "writeOnly": False},
        {"example": "a", "externalDocs": {"url": "u"}, "xml": {"name": "a"}},
        {"discriminator": {"propertyName": "kind", "mapping": {"a": "#/$defs/a"}}},
        {"contentEncoding": "base64", "contentMediaType": "text/plain"},
        {"properties": {"propertys": {}, "maxLenght": TEXT}},
        {"default": {"propertys": 1}, "enum": [{"maxLenght": 1}]},
    ],
)
def test_annotations_and_names_of_properties_are_no_misspelt_keywords(more: Any) -> None:
    assert intake.take({"type": ["string", "object"]} | more).notices == ()


def test_other_unknown_keywords_are_told_once() -> None:
    given = {"type": "object", "properties": {"a": {"min": 3, "type": "integer"}}, "widget": 1}
    (notice,) = intake.take(given).notices
    assert "$.widget, $.properties.a.min (did you mean 'minimum'?)" in notice


@pytest.mark.parametrize(
    "more",
    [
        {"note": "a"},
        {"in": True},
        {"nod": {}},
        {"property": {}},
        {"values": ["a"]},
        {"optional": True},
    ],
)
def test_a_word_of_another_meaning_or_value_is_no_misspelling(more: dict[str, Any]) -> None:
    assert len(intake.take({"type": "string"} | more).notices) == 1


@pytest.mark.parametrize(
    "given",
    [{"widget": 1}, {"name": "a", "fields": {}}, {"$defs": {"a": TEXT}}, {"definitions": {}}],
)
def test_a_schema_that_constrains_nothing_is_refused(given: Any) -> None:
    assert "$: constrains nothing" in refusal(given)


@pytest.mark.parametrize("given", [{}, {"title": "Any", "description": "anything"}])
def test_any_json_is_taken_where_nothing_else_is_asked(given: Any) -> None:
    assert verdicts(given, 1, None, "a", {}) == [True] * 4


@pytest.mark.parametrize(
    ("given", "good", "bad"),
    [
        ({"type": "string"}, ["a"], [1]),
        ({"type": ["string", "integer"]}, ["a", 1], [0.5]),
        ({"type": "string", "enum": ["a", "b"]}, ["b"], ["c"]),
        ({"enum": ["a"]}, ["a"], ["b"]),
        ({"const": "a"}, ["a"], ["b"]),
        ({"$ref": "#/$defs/a"}, ["a"], [1]),
        ({"allOf": [{"$ref": "#/$defs/a"}]}, ["a"], [1]),
        ({"anyOf": [TEXT, {"type": "integer"}]}, ["a", 1], [0.5]),
        ({"oneOf": [TEXT, {"type": "integer"}], "description": "d"}, ["a", 1], [0.5]),
        ({"type": "object", "properties": {"x": TEXT}, "required": ["x"]}, [{"x": "a"}], [{}]),
    ],
)
def test_nullable_is_read_as_openapi_means_it(given: Any, good: Any, bad: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"v": given | {"nullable": True}, "w": given | {"nullable": False}},
        "$defs": {"a": TEXT},
    }
    assert verdicts(schema, *({"v": one} for one in [*good, None])) == [True] * (len(good) + 1)
    assert verdicts(schema, *({"v": one} for one in bad)) == [False] * len(bad)
    assert verdicts(schema, {"w": None}) == [False]
    assert intake.take(schema).notices == (
        "schema: nullable is read as OpenAPI 3.0 means it: $.properties.v",
    )


def test_references_into_what_becomes_another_choice_still_point_there() -> None:
    schema = {
        "properties": {
            "a": {"allOf": [{"properties": {"b": TEXT}}], "nullable": True},
            "inner": {"$ref": "#/properties/a/allOf/0/properties/b"},
            "outer": {"$ref": "#/properties/a"},
        }
    }
    assert verdicts(schema, {"inner": "x"}, {"inner": 1}, {"inner": None}) == [True, False, False]
    assert verdicts(schema, {"outer": None}, {"outer": {"b": 1}}) == [True, False]


@pytest.mark.parametrize(
    ("given", "good", "bad"),
    [
        ({"minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"minimum": 1, "exclusiveMinimum": False}, [1], [0]),
        ({"maximum": 1, "exclusiveMaximum": True, "$schema": DRAFT_4}, [0], [1]),
        ({"items": [TEXT, {"type": "integer"}]}, [["a", 1], ["a", 1, None]], [[1]]),
        ({"items": [TEXT], "additionalItems": False}, [["a"]], [["a", 1]]),
        ({"items": [TEXT], "additionalItems": TEXT, "$schema": DRAFT_7}, [["a", "b"]], [["a", 1]]),
        ({"items": TEXT, "additionalItems": False}, [["a", "b"]], [[1]]),
        ({"items": [], "additionalItems": False, "$schema": DRAFT_6}, [[]], [[1]]),
        ({"prefixItems": [TEXT], "items": False, "$schema": DRAFT_2020}, [["a"]], [["a", 1]]),
        ({"dependencies": {}, "definitions": {"a": {}}}, [1], []),
        ({"dependencies": {"a": ["b"]}}, [{"a": 1, "b": 1}, {"c": 1}], [{"a": 1}]),
        ({"dependencies": {"a": {"required": ["b"]}}}, [{"a": 1, "b": 1}], [{"a": 1}]),
        ({"dependentRequired": {"a": ["b"]}, "$schema": DRAFT_2019}, [{}], [{"a": 1}]),
        ({"$ref": "#/definitions/a", "definitions": {"a": TEXT}}, ["a"], [1]),
        ({"items": {"$recursiveRef": "#"}, "type": "array"}, [[[]]], [[1]]),
        ({"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "string"}}}, ["a"], [1]),
        ({"$ref": "#o", "definitions": {"x": {"$id": "#o"} | TEXT}}, ["a"], [1]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": TEXT}}, ["a"], [1]),
        ({"$ref": "#/$defs/a%20b", "$defs": {"a b": TEXT}}, ["a"], [1]),
        ({"$ref": "#/$defs/a%25b", "$defs": {"a%b": TEXT}}, ["a"], [1]),
        ({"$ref": "#/$defs/%C3%A9", "$defs": {"é": TEXT}}, ["a"], [1]),
        ({"$id": "https://x.org/s", "$ref": "https://x.org/s#/$defs/a", "$defs": {"a": TEXT}},
         ["a"], [1]),
        ({"$ref": "#/components/schemas/A", "components": {"schemas": {"A": TEXT}}}, ["a"], [1]),
        ({"items": [TEXT, {"$ref": "#/items/0"}]}, [["a", "b"]], [["a", 1]]),
        ({"patternProperties": {"^a": TEXT}, "properties": {"x": {
            "$ref": "#/patternProperties/%5Ea"}}}, [{"x": "b", "ab": "c"}], [{"x": 1}, {"ab": 1}]),
    ],
)  # fmt: skip
def test_every_draft_is_read_as_it_is_meant(given: Any, good: Any, bad: Any) -> None:
    assert verdicts(given, *good) == [True] * len(good)
    assert verdicts(given, *bad) == [False] * len(bad)
    # The plain form is one of itself.
    taken = intake.take(given)
    assert intake.take(taken.schema).schema == taken.schema


@pytest.mark.parametrize(("draft", "holds"), [(DRAFT_7, False), (DRAFT_2019, True), (None, True)])
def test_what_stands_beside_a_reference_is_held_as_the_draft_says(draft: Any, holds: bool) -> None:
    schema = {"$ref": "#/definitions/a", "maxLength": 1, "definitions": {"a": TEXT}}
    schema |= {"$schema": draft} if draft else {}
    assert verdicts(schema, "ab") == [not holds]
    told = intake.take(schema).notices
    assert [("$.maxLength" in line) for line in told] == ([] if holds else [True])


def test_data_in_a_schema_is_no_schema() -> None:
    data = {"$ref": "#/none", "propertys": 1, "nullable": True, "type": "strnig"}
    schema = {"type": "object", "examples": [data], "default": data, "enum": [data]}
    assert intake.take(schema).schema == schema


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"$ref": "other.json"}, "$.$ref: $ref 'other.json' points outside the schema; inline it"),
        ({"items": {"$ref": "#/a"}}, "$.items.$ref: $ref '#/a' points to nothing"),
        ({"properties": {"a": {"$id": "x", "items": {"$ref": "#/y"}}}}, "$.properties.a.$id"),
        ({"type": "strnig"}, "$.type: 'strnig' is no type (did you mean 'string'?)"),
        ({"properties": {"a": {"type": "float"}}}, "$.properties.a.type: 'float' is no type"),
        ({"properties": []}, "$.properties: [] is not of type 'object'"),
        ({"required": True, "type": "object"}, "$.required: True is not of type 'array'"),
        ({"$ref": "#/$defs/a", "$dynamicRef": "#/$defs/a", "$defs": {"a": {}}}, "put one of them"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(given: Any, reason: str) -> None:
    assert reason in refusal(given)


def test_formats_that_nothing_checks_are_named() -> None:
    schema = {"properties": {"a": TEXT | {"format": "color"}, "b": TEXT | {"format": "date"}}}
    assert intake.unchecked_formats(schema) == {"color"}
    assert intake.take(schema).notices == ("schema: not checked, only described: format color",)


@pytest.mark.parametrize(
    ("schema", "meaning"),
    [
        (TEXT, {}),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}, {}),
        ({"enum": ["a", 1, 0.5, None]}, {}),
        ({"type": "string", "format": "color"}, {}),
        ({"type": "string", "format": "date"}, {"formats": ["date"]}),
        ({"enum": [0.1, 0.5]}, {"numbers": ["0.1"]}),
        ({"const": {"a": [0.7]}}, {"numbers": ["0.7"]}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"keys": True}),
        ({"type": "object"}, {"keys": True}),
        ({"type": "string", "pattern": "^\\d$"}, {"patterns": ["^\\d$"]}),
        ({"type": "string", "pattern": "^[a-z]$"}, {}),
    ],
)
def test_keys_change_only_where_an_earlier_answer_may_be_wrong(schema: Any, meaning: Any) -> None:
    assert intake.take(schema).meaning == meaning
