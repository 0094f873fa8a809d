"""The check of JSON answers: exact numbers, one reading, and the schema's own way to write them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from llmbatch.constraints.check import make_judge
from llmbatch.constraints.json_check import Judge
from llmbatch.constraints.numbers import is_multiple
from llmbatch.core.records import Constraint


def judge(schema: Any) -> Judge:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return make_judge(Constraint("json", text))


def reason(schema: Any, text: str) -> str:
    said = judge(schema)(text).reason
    assert said is not None
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, ["1", "1.0", "1e3", "-0", "1E+2", "12" * 20], ["1.5", "1e-1"]),
        ({"type": "integer"}, [], ["true", '"1"', "null"]),
        ({"type": "number"}, ["1", "0.5", "1e308"], ["true", '"1"', "null"]),
        ({"minimum": 0.1}, ["0.1", "0.10000000000000001"], ["0.09999999999999999999"]),
        ({"exclusiveMaximum": 0.3}, ["0.2999999999999999999999"], ["0.3", "0.30"]),
        ({"maximum": 9007199254740992}, ["9007199254740992.0"], ["9007199254740993"]),
        ({"multipleOf": 0.01}, ["19.99", "0.07", "4.35", "1e20", "0", "-1.1"], ["19.999", "1e-3"]),
        ({"multipleOf": 0.1}, ["0.3", "1.1", "3"], ["0.35"]),
        ({"multipleOf": 3}, ["9", "9.0", "-3", "3e1"], ["10", "9.1"]),
        ({"multipleOf": 1e-8}, ["12391239123", "0.00000001"], ["0.000000001"]),
        ({"const": 9007199254740993}, ["9007199254740993"], ["9007199254740992"]),
        ({"enum": [1, True]}, ["1", "1.0", "true"], ["false", "0"]),
        ({"enum": [0, False]}, ["0", "-0", "false"], ["true", "1"]),
        ({"const": {"a": [1, None]}}, ['{"a": [1.0, null]}'], ['{"a": [true, null]}', "{}"]),
        ({"uniqueItems": True}, ["[1, true]", '[1, "1"]', "[[1], [true]]"], ["[1, 1.0]"]),
        ({"uniqueItems": True}, [], ["[{}, {}]", '[{"a":1,"b":2},{"b":2,"a":1e0}]']),
        ({"uniqueItems": True}, ["[0.1, 0.10000000000000001]"], ["[0.1, 0.10]"]),
        ({"uniqueItems": False}, ["[1, 1]"], []),
        ({"maxLength": 1}, ['"é"', '"\\ud83d\\ude00"'], ['"ab"']),
    ],
)  # fmt: skip
def test_values_are_compared_exactly(schema: Any, good: list[str], bad: list[str]) -> None:
    check = judge(schema)
    assert [(text, check(text).reason) for text in good] == [(text, None) for text in good]
    assert [text for text in bad if check(text).reason is None] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON: Expecting value"),
        ('{"a": 1} x', "is not JSON: Extra data"),
        ('"\t"', "is not JSON: Invalid control character"),
        ("[1,]", "is not JSON: "),
        ("NaN", "is not JSON: NaN"),
        ("[-Infinity]", "is not JSON: -Infinity"),
        ("1e999", "number too large"),
        ("[-1E+400]", "number too large"),
        ("9" * 309, "number too large"),
        ("9" * 5000, "number too large"),
        ("0." + "1" * 5000, "number too long"),
        ("1e-9999999999999999999999", "number too small"),
        ('{"a": 1, "a": 1}', "has the key 'a' twice in the object at $"),
        ('{"a": [{"b": {"c": 1, "\\u0063": 2}}]}', "the key 'c' twice in the object at $.a[0].b"),
        ('{"x": {"a": 1}, "y": {"a": 1, "a": 2}}', "at $.y"),
        ('{"a": "\\ud800"}', "holds half of a surrogate pair, which is no character, at $.a"),
        ('{"\\udc00": 1}', "surrogate pair, which is no character, at $"),
        ("[" * 2000, "is nested too deep to be checked"),
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_what_readers_would_not_take_alike_is_refused(text: str, said: str) -> None:
    assert said in reason({}, text)


@pytest.mark.parametrize(
    "text",
    [
        '"a\\u0000"',
        '"\\ud83d\\ude00"',
        '"\\\\u0000"',
        '"\\\\ud800"',
        "9" * 308,
        "1e-400",
        '{"a": {"a": 1}}',
        " 1\n",
    ],
)
def test_what_readers_take_is_accepted_as_it_is(text: str) -> None:
    assert judge({})(text) == (None, text)


@pytest.mark.parametrize(
    ("schema", "text", "written"),
    [
        ({"enum": [0.1, 0.7, 1.0]}, "0.10000000000000001", "0.1"),
        ({"enum": [0.1, 0.7, 1.0]}, "0.69999999999999996", "0.7"),
        ({"enum": [0.1, 0.7, 1.0]}, "1", "1.0"),
        ({"enum": [0.1, 0.7, 1.0]}, " 0.7\n", " 0.7\n"),
        ('{"enum": [0.10, 1e2]}', "0.1", "0.10"),
        ('{"enum": [0.10, 1e2]}', "100", "1e2"),
        ('{"const": 12345678901234567890.5}', "1.2345678901234567e+19", "12345678901234567890.5"),
        ({"const": {"a": [0.7], "b": 1}}, '{"b":1.0,"a":[0.69999999999999996]}',
         '{"b":1,"a":[0.7]}'),
        ({"items": {"enum": [0.1]}}, '[0.1, 0.10000000000000001]', "[0.1, 0.1]"),
        ({"properties": {"a": {"enum": [0.1]}}}, '{"b":0.10000000000000001,"a":0.1}',
         '{"b":0.10000000000000001,"a":0.1}'),
        ({"properties": {"a": {"enum": [0.1]}}}, '{"\\"1": 2, "x": "0.1\\\\", "a":1e-1}',
         '{"\\"1": 2, "x": "0.1\\\\", "a":0.1}'),
        ({"anyOf": [{"const": 0.1}, {"type": "string"}]}, "0.10000000000000001", "0.1"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 0.7}}}, "0.69999999999999996", "0.7"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_the_schema_writes_them(
    schema: Any, text: str, written: str
) -> None:
    assert judge(schema)(text) == (None, written)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"enum": [0.1]}, "0.1000000000000000011"),
        ({"enum": [0.1, 0.2]}, "0.15"),
        ('{"const": 12345678901234567890.5}', "12345678901234567890.6"),
        # The 17 digits of both are the same, so they say neither.
        ('{"enum": [12345678901234567890.5, 12345678901234567890.6]}', "1.2345678901234567e+19"),
    ],
)
def test_a_number_near_one_of_the_schema_is_none_of_it(schema: Any, text: str) -> None:
    assert "breaks the schema at $" in reason(schema, text)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4), st.data()
)
def test_every_number_of_an_enum_comes_back_as_it_stands(
    numbers: list[float], data: st.DataObject
) -> None:
    number = data.draw(st.sampled_from(numbers))
    for text in (f"{number:.17g}", repr(number)):
        judgement = judge({"enum": numbers})(text)
        assert judgement.reason is None
        assert Decimal(judgement.text) == Decimal(repr(number))


@settings(max_examples=25, deadline=None)
@given(
    st.decimals(-1000, 1000, places=4), st.decimals("0.0001", 50, places=4), st.integers(-99, 99)
)
def test_multiples_are_those_of_decimals(number: Decimal, step: Decimal, count: int) -> None:
    assert is_multiple(step * count, step)
    assert is_multiple(number, step) == (number * 10000 % (step * 10000) == 0)


def test_the_first_fault_is_told_with_its_place_on_one_line() -> None:
    schema = {"type": "object", "properties": {"a\nb": {"type": "string", "maxLength": 2}}}
    assert "is too long" in reason(schema, json.dumps({"a\nb": "x\ny" * 3}))
    assert len(reason({"enum": ["x" * 5000]}, '"y"')) < 300


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ([{"type": "string", "maxLength": 3}, {"type": "null"}], "$.x: 'abcd' is too long"),
        ([{"type": "null"}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}], "'integer'"),
        ([{"type": "integer"}, {"type": "boolean"}], "not valid under any of the given schemas"),
    ],
)
def test_the_fault_within_the_only_choice_beside_null_is_told(choices: Any, said: str) -> None:
    assert said in reason({"properties": {"x": {"anyOf": choices}}}, '{"x": "abcd"}')


class Ticket(BaseModel):
    """A model as users write them."""

    kind: str = Field(pattern="^[a-z]+$")
    price: Decimal = Field(multiple_of=0.01)
    score: float = Field(ge=0, le=1)
    note: str | None = None


def test_answers_are_held_to_a_model_of_pydantic() -> None:
    check = judge(Ticket.model_json_schema())
    assert check('{"kind": "a", "price": 19.99, "score": 1, "note": null}').reason is None
    assert check('{"kind": "a", "price": 19.999, "score": 1}').reason is not None
    assert "$.score" in str(
        check('{"kind": "a", "price": "1", "score": 1.00000000000000001}').reason
    )


ZOD_3 = {  # as zod-to-json-schema writes it for the openai package
    "name": "ticket",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["a", "b"], "nullable": True},
            "at": {"type": "string", "format": "date-time"},
            "more": {"$ref": "#/definitions/ticket_more"},
        },
        "required": ["kind", "at", "more"],
        "additionalProperties": False,
        "definitions": {"ticket_more": {"type": "array", "items": {"type": "string"}}},
        "$schema": "http://json-schema.org/draft-07/schema#",
    },
}
ZOD_4 = {  # as z.toJSONSchema writes it, with a union and a pattern beside a format
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid", "pattern": "^([0-9a-fA-F-]{36})$"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
        "n": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
    },
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (ZOD_3, {"kind": None, "at": "2024-01-01T00:00:00Z", "more": []}, {"kind": "a"}),
        (ZOD_3, {"kind": "b", "at": "2024-01-01T00:00:00Z", "more": ["x"]},
         {"kind": "b", "at": "2024-01-01T00:00:00", "more": ["x"]}),
        (ZOD_4, {"id": "12345678-1234-1234-1234-123456789abc", "pair": ["a", 1], "n": 1},
         {"id": "12345678-1234-1234-1234-123456789ab-"}),
    ],
)  # fmt: skip
def test_answers_are_held_to_a_schema_of_zod(schema: Any, good: Any, bad: Any) -> None:
    assert judge(schema)(json.dumps(good)).reason is None
    assert judge(schema)(json.dumps(bad)).reason is not None
