"""The plain form of a schema allows what the schema's own draft allows."""

import json
from functools import cache
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.constraints import intake
from llmbatch.constraints.check import make_check
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint
from tests.constraints.test_satisfiable import ATOMS, NAMES, NUMBERS, SIZES, TYPES, VALUES

Schemas = st.SearchStrategy[Any]

DRAFTS: dict[int, tuple[str, Any]] = {
    4: ("http://json-schema.org/draft-04/schema#", jsonschema.Draft4Validator),
    7: ("http://json-schema.org/draft-07/schema#", jsonschema.Draft7Validator),
    2019: ("https://json-schema.org/draft/2019-09/schema", jsonschema.Draft201909Validator),
    2020: ("https://json-schema.org/draft/2020-12/schema", jsonschema.Draft202012Validator),
}
REFERENCES = ["#", "#/definitions/x", "#/definitions/y", "#/properties/a", "#/items/0", "#/anyOf/0"]
NEEDS = st.lists(NAMES, min_size=1, max_size=2, unique=True)


def listed(below: Schemas) -> Schemas:
    return st.lists(below, min_size=1, max_size=2)


def keywords(draft: int, below: Schemas) -> dict[str, Schemas]:
    some: dict[str, Schemas] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
        "enum": st.lists(ATOMS, min_size=1, max_size=3, unique_by=repr),
        **dict.fromkeys(["minimum", "maximum"], NUMBERS),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "maxProperties"], SIZES),
        "properties": st.dictionaries(NAMES, below, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), below, max_size=2),
        "required": NEEDS,
        "additionalProperties": st.booleans() | below,
        "not": below,
        "$ref": st.sampled_from(REFERENCES),
        "uniqueItems": st.booleans(),
        **dict.fromkeys(["allOf", "anyOf", "oneOf"], listed(below)),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "items": below | listed(below) if draft < 2020 else below,
    }
    if draft == 4:
        some |= dict.fromkeys(["exclusiveMinimum", "exclusiveMaximum"], st.booleans())
    else:
        some |= dict.fromkeys(["contains", "if", "then", "else"], below)
        some |= {"exclusiveMinimum": NUMBERS, "const": ATOMS}
    if draft < 2019:
        some["dependencies"] = st.dictionaries(NAMES, NEEDS | below, max_size=2)
    else:
        some["dependentRequired"] = st.dictionaries(NAMES, NEEDS, max_size=2)
        some["dependentSchemas"] = st.dictionaries(NAMES, below, max_size=2)
        some |= dict.fromkeys(["unevaluatedProperties", "unevaluatedItems"], st.booleans())
    some["prefixItems" if draft == 2020 else "additionalItems"] = (
        listed(below) if draft == 2020 else st.booleans() | below
    )
    return some


@cache
def parts(draft: int) -> Schemas:
    base: Schemas = st.just({}) if draft == 4 else st.booleans()
    return st.recursive(
        base, lambda below: st.fixed_dictionaries({}, optional=keywords(draft, below)), max_leaves=3
    )


def schemas(draft: int) -> Schemas:
    """Schemas of a draft, with definitions."""
    uri = DRAFTS[draft][0]
    text = {"type": "string"}

    def whole(pair: tuple[Any, Any]) -> Any:
        return {**pair[0], "definitions": {"x": pair[1], "y": text}, "$schema": uri}

    roots = st.fixed_dictionaries({}, optional=keywords(draft, parts(draft)))
    return st.tuples(roots, parts(draft)).map(whole)


EACH = st.one_of([st.tuples(st.just(draft), schemas(draft)) for draft in DRAFTS])


@settings(max_examples=25, deadline=None)
@given(EACH)
def test_an_answer_is_judged_as_by_the_draft(drawn: tuple[int, Any]) -> None:
    draft, schema = drawn
    try:
        text = intake.take(schema).text
    except UsageError:
        return
    check, validator = make_check(Constraint("json", text)), DRAFTS[draft][1](schema)
    told = [check(json.dumps(value)) is None for value in VALUES]
    assert told == [validator.is_valid(value) for value in VALUES]
