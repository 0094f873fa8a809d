"""The patterns of a schema as its validator finds them."""

from typing import Any

import jsonschema
import pytest

from llmbatch.constraints.patterns.keywords import put_sources
from llmbatch.core.errors import UsageError


def faults(schema: Any, value: Any) -> list[str]:
    put_sources(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(value)]


def test_a_pattern_is_searched_for_by_its_translation() -> None:
    schema = {"properties": {"a": {"pattern": r"^\d{2}\z"}, "b": {"pattern": r"\p{Lu}"}}}
    assert faults(schema, {"a": "12", "b": "\nxÉ"}) == []
    assert faults(schema, {"a": "१२"}) == [r"'१२' does not match '^\\d{2}\\z'"]
    assert faults(schema, {"a": "12\n"}) != []


def test_names_by_pattern_keep_their_schemas_and_count_for_the_others() -> None:
    schema = {
        "patternProperties": {"^x-": {"type": "integer"}, "^(?:x-)": {"minimum": 5}},
        "additionalProperties": False,
    }
    assert faults(schema, {"x-a": 7}) == []
    assert len(faults(schema, {"x-a": "7"})) == 1
    assert len(faults(schema, {"x-a": 3})) == 1
    assert "'^x-'" in faults(schema, {"y": 3})[0]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"properties": {"a": {"pattern": "(a"}}}, "schema: $.properties.a.pattern: the group has"),
        ({"patternProperties": {r"a\q": {}}}, r"schema: $.patternProperties['a\\q']: \q has no"),
        ({"items": {"pattern": r"a(b)\1"}}, "(at character 5 of the pattern)"),
    ],
)
def test_a_pattern_that_is_no_good_is_named_with_its_place(schema: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        put_sources(schema)
    assert words in str(caught.value)


def test_data_and_property_names_are_no_patterns() -> None:
    schema = {"properties": {"pattern": {"const": {"pattern": "("}}}, "default": {"pattern": "("}}
    assert faults(schema, {"pattern": {"pattern": "("}}) == []
