"""Schemas as their makers write them, with answers of each: those that it allows, and others.

`check_only` are the keywords that no backend holds, so that some of the others may be written.
"""

import json
from dataclasses import dataclass
from typing import Any

TEXT, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


@dataclass(frozen=True)
class Case:
    """`backend`: the one that leaves least to the check."""

    name: str
    schema: dict[str, Any]
    good: list[Any]
    bad: list[Any]
    backend: str = "xgrammar"
    check_only: tuple[str, ...] = ()


def obj(**properties: Any) -> dict[str, Any]:
    """An object with these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def one(
    name: str,
    schema: Any,
    good: list[Any],
    bad: list[Any],
    backend: str = "xgrammar",
    check_only: tuple[str, ...] = (),
) -> Case:
    """A case of one property, with the values that it takes and does not."""
    allowed, other = ([{"a": value} for value in values] for values in (good, bad))
    return Case(name, obj(a=schema), allowed, other, backend, check_only)


def text_of(value: Any) -> str:
    """An answer as a backend without white space writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


ZOD_DATE = (
    r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-"
    r"(?:0[1-9]|1\d|2[0-8])))$"
)
UUID = "123e4567-e89b-12d3-a456-426614174000"
COLOR = {"$defs": {"Color": {"enum": ["red", "green"], "title": "Color", "type": "string"}}}
NODE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "value": INTEGER,
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
            },
            "required": ["value"],
        }
    },
    "$ref": "#/$defs/Node",
}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": INTEGER}}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}, "breed": TEXT}}

CASES = [
    one("an open pattern", TEXT | {"pattern": "^ORD-"}, ["ORD-", "ORD-12", 'ORD-"\n\\'],
        ["xORD-1", ""], "guidance"),
    one("a closed pattern", TEXT | {"pattern": r"^ORD-\d+$"}, ["ORD-12"], ["ORD-", "xORD-1"]),
    one("zod startsWith and max", TEXT | {"pattern": "^ab.*", "maxLength": 4}, ["ab", 'ab"'],
        ["xab", "abcde"], "guidance"),
    one("look-ahead", TEXT | {"pattern": "^(?!a)[a-z]$"}, ["b"], ["a", "ab"]),
    one("lengths", TEXT | {"minLength": 1, "maxLength": 3}, ["a", 'a"b', "a\n", "\t"],
        ["", "abcd"], "guidance"),
    one("a length of nothing", TEXT | {"minLength": 0}, ["", 'a"'], [1]),
    one("zod uuid", TEXT | {"format": "uuid", "pattern": "^[0-9a-f-]{36}$"}, [UUID],
        [UUID.upper(), "x"], "guidance"),
    one("zod date", TEXT | {"format": "date", "pattern": ZOD_DATE}, ["2024-02-29"],
        ["2023-02-29", "x"], "guidance"),
    one("a date", TEXT | {"format": "date"}, ["2024-02-29"], ["2023-02-29", "2023-02-31"]),
    one("a time", TEXT | {"format": "date-time"}, ["2024-02-29T12:00:00Z"],
        ["2024-02-29T12:00:00", "2023-02-29T12:00:00Z"]),
    one("an address", TEXT | {"format": "email"}, ["a@b.de", '"a b"@c.de'], ["@", "a"],
        "guidance"),
    one("host, version 4 and 6", {"anyOf": [TEXT | {"format": "ipv4"}, TEXT | {"format": "ipv6"}]},
        ["1.2.3.4", "::ffff:1.2.3.4", "1::8"], ["01.2.3.4", "1:2", "::1%eth0"]),
    one("a format of nobody", TEXT | {"format": "phone"}, ["x", "1"], [1]),
    one("bounds", NUMBER | {"minimum": 0, "exclusiveMaximum": 1}, [0, 0.5, 0.1234567], [-1, 1],
        "guidance"),
    one("integer bounds", INTEGER | {"minimum": 0.5, "exclusiveMaximum": 3}, [1, 2], [0, 3]),
    one("prices", NUMBER | {"multipleOf": 0.01, "minimum": 0}, [19.99, 0.07, 1], [0.005, -1],
        "guidance"),
    one("whole numbers", NUMBER | {"multipleOf": 1}, [1, -2], [1.5]),
    one("multiples below 0", INTEGER | {"multipleOf": 5}, [5, -5], [], "xgrammar",
        ("multipleOf",)),
    one("beyond 64 bits", INTEGER | {"maximum": 10**20}, [10**19], ["x"], "xgrammar",
        ("maximum",)),
    one("numbers of an enum", {"enum": [0.1, 0.7, 1]}, [0.1, 0.7, 1], [0.2], "guidance"),
    one("a large const", {"const": 12345678901234567890123}, [12345678901234567890123], ["x"],
        "xgrammar", ("const",)),
    one("mixed enum", {"type": "string", "enum": ["a", "bb", 1], "maxLength": 1}, ["a"],
        ["bb", 1]),
    one("a set", {"type": "array", "items": INTEGER, "uniqueItems": True}, [[], [1, 2]], [1],
        "xgrammar", ("uniqueItems",)),
    one("no set", {"type": "array", "items": INTEGER, "uniqueItems": False}, [[1, 1]], [["a"]]),
    one("a tuple of draft 7", {"type": "array", "items": [INTEGER, TEXT], "minItems": 2,
        "additionalItems": False}, [[1, "a"]], [[1], [1, 2], [1, "a", 3]]),
    one("contains", {"type": "array", "contains": INTEGER}, [[1], ["a", 2]], [1], "xgrammar",
        ("contains",)),
    Case("Pydantic's enum with a default",
        obj(c={"allOf": [{"$ref": "#/$defs/Color"}], "default": "red"}) | COLOR,
        [{"c": "red"}], [{"c": "blue"}, {}]),
    Case("Pydantic's optional enum",
        obj(c={"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}], "default": None}) | COLOR,
        [{"c": "red"}, {"c": None}], [{"c": "blue"}]),
    Case("inheritance by $ref",
        {"$ref": "#/$defs/Base", "properties": {"b": TEXT}, "required": ["b"],
         "$defs": {"Base": {"type": "object", "properties": {"a": INTEGER}, "required": ["a"]}}},
        [{"a": 1, "b": "x"}], [{"a": 1}, {"b": "x"}]),
    Case("zod and()", {"allOf": [obj(a=INTEGER) | {"additionalProperties": True},
        {"type": "object", "properties": {"b": TEXT}, "required": ["b"]}],
        "unevaluatedProperties": False}, [{"a": 1, "b": "x"}], [{"a": 1}, {"b": "x"}]),
    Case("one of two required", {"type": "object", "properties": {"a": INTEGER, "b": INTEGER},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 2}], [{}]),
    Case("tagged union", {"oneOf": [CAT | {"required": ["kind", "lives"]},
        DOG | {"required": ["kind", "breed"]}]},
        [{"kind": "cat", "lives": 9}, {"kind": "dog", "breed": "x"}], [{"kind": "dog"}, {}]),
    one("oneOf that overlaps", {"oneOf": [INTEGER, INTEGER | {"minimum": 3}]}, [1, 2], ["x"],
        "xgrammar", ("oneOf",)),
    Case("if and then", {"type": "object", "properties": {"k": {"enum": ["a", "b"]}, "x": INTEGER},
        "required": ["k"], "if": {"properties": {"k": {"const": "a"}}},
        "then": {"required": ["x"]}}, [{"k": "b"}, {"k": "a", "x": 1}], [{"k": "a"}]),
    Case("dependentRequired", {"type": "object", "properties": {"a": INTEGER, "b": INTEGER},
        "dependentRequired": {"a": ["b"]}}, [{}, {"b": 1}, {"a": 1, "b": 2}], [{"a": 1}]),
    one("not null", {"not": {"type": "null"}}, [1, "x"], [None]),
    one("not a text", TEXT | {"not": {"const": "x"}}, ["y"], [1], "xgrammar", ("not",)),
    Case("required without a property", {"type": "object", "properties": {"a": INTEGER},
        "required": ["a", "b"], "additionalProperties": INTEGER}, [{"a": 1, "b": 2}],
        [{"a": 1}, {"a": 1, "b": "x"}]),
    Case("names by a pattern", {"type": "object", "patternProperties": {"^x-": INTEGER},
        "additionalProperties": False}, [{}, {"x-a": 1}], [{"y": 1}, {"x-a": "s"}], "guidance"),
    Case("a pattern for named ones", {"type": "object", "properties": {"ab": {"minimum": 3}},
        "patternProperties": {"^a": INTEGER}}, [{"ab": 4}, {"ac": 1}], [{"ab": 1}, {"ab": "x"}],
        "guidance"),
    Case("zod record of enum keys", {"type": "object", "propertyNames": {"enum": ["a", "b"]},
        "additionalProperties": INTEGER}, [{"a": 1}, {"a": 1, "b": 2}], [{"c": 1}, {"a": "x"}]),
    Case("names of a pattern", {"type": "object", "propertyNames": {"pattern": "^[a-z]$"},
        "additionalProperties": INTEGER}, [{"a": 1}], [{"A": 1}, {"a": "x"}], "guidance"),
    Case("Pydantic's dict", {"type": "object", "additionalProperties": INTEGER}, [{}, {"a": 1}],
        [{"a": "x"}]),
    Case("extra keys", {"type": "object", "properties": {"a": INTEGER},
        "additionalProperties": True}, [{"a": 1}, {"a": 1, "b": "x"}], [{"a": "x"}]),
    Case("enough keys", obj(a=INTEGER, b=INTEGER) | {"required": [], "minProperties": 1},
        [{"a": 1}, {"b": 1}], [{}]),
    Case("recursion", NODE, [{"value": 1}, {"value": 1, "next": {"value": 2, "next": None}}],
        [{"value": 1, "next": {}}, {}]),
    Case("recursion with more at each step", {"type": "object", "properties": {"c": {"$ref": "#",
        "required": ["x"]}, "x": INTEGER}}, [{}, {"c": {"x": 1}}], [{"c": {}}]),
    Case("an anchor and an odd name", {"$ref": "#here", "$defs": {"a/b c": {"$anchor": "here"} |
        obj(a=INTEGER)}}, [{"a": 1}], [{"a": "x"}]),
    Case("no type", {"properties": {"a": INTEGER}, "required": ["a"]}, [{"a": 1}, 1, "x"], [{}]),
    Case("nothing is asked", {}, [1, "x", None, {}], []),
    one("a schema that is false", {"anyOf": [INTEGER, False]}, [1], ["x"]),
    Case("a forbidden property", {"type": "object", "properties": {"a": False, "b": INTEGER}},
        [{}, {"b": 1}], [{"a": 1}]),
    Case("examples that look like schemas", obj(a=TEXT | {"examples": [{"multipleOf": 1,
        "type": "number"}]}, multipleOf=INTEGER), [{"a": "x", "multipleOf": 1}], [{"a": 1}]),
    Case("null beside other types", obj(a={"type": ["integer", "null"], "minimum": 3}),
        [{"a": 3}, {"a": None}], [{"a": 2}, {"a": "x"}]),
]  # fmt: skip
