import json
from collections.abc import Sequence

import pytest

from llmbatch.constraints.check import make_check
from llmbatch.constraints.proof.comparison import Accepts, compare, make_texts
from llmbatch.core.records import Constraint


def of(**keywords: object) -> Constraint:
    schema = {"type": "object", "properties": {"a": keywords}, "required": ["a"]}
    return Constraint("json", json.dumps(schema | {"additionalProperties": False}))


KINDS = {
    "text": of(type="string"),
    "lengths": of(type="string", minLength=2, maxLength=5),
    "pattern": of(type="string", pattern="^ORD-[0-9]+"),
    "date": of(type="string", format="date"),
    "uuid": of(type="string", format="uuid"),
    "enum": of(enum=["a", 0.1, None, 'q"']),
    "integer": of(type="integer", minimum=3, maximum=9),
    "number": of(type="number", exclusiveMinimum=0),
    "multiple": of(type="number", multipleOf=0.01, minimum=0),
    "items": of(type="array", items={"type": "integer"}, minItems=1, maxItems=3),
    "unique": of(type="array", items={"enum": ["a", "b", "c"]}, uniqueItems=True),
    "tuple": of(type="array", prefixItems=[{"type": "string"}, {"type": "null"}], items=False),
    "union": of(anyOf=[{"type": "string"}, {"type": "null"}]),
    "record": of(type="object", additionalProperties={"type": "boolean"}),
    "names": of(type="object", patternProperties={"^x": {"type": "integer"}}),
    "both": of(allOf=[{"type": "string"}, {"maxLength": 3}]),
    "condition": of(**{"if": {"type": "string"}, "then": {"maxLength": 2}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_of_both_kinds_and_the_same_for_a_seed(kind: str) -> None:
    texts = make_texts(KINDS[kind], 40)
    check = make_check(KINDS[kind])
    assert texts.instances
    assert len(texts.misses) >= 20
    assert all(check(text) is None for spelled in texts.instances for text in spelled)
    assert all(check(text) is not None for text in texts.misses)
    assert make_texts(KINDS[kind], 40) == texts


def test_hard_characters_and_bounds_are_among_the_texts() -> None:
    texts = make_texts(KINDS["lengths"], 100)
    values = [json.loads(spelled[0])["a"] for spelled in texts.instances]
    assert {len(value) for value in values} == {2, 3, 4, 5}
    assert all(any(hard in value for value in values) for hard in '"\\\né😀')
    broken = [
        json.loads(text)["a"]
        for text in texts.misses
        if text.startswith('{"a":"x') is False and _is_answer(text)
    ]
    assert {1, 6} <= {len(value) for value in broken if isinstance(value, str)}


def _is_answer(text: str) -> bool:
    try:
        return "a" in json.loads(text)
    except (ValueError, TypeError):
        return False


def taking(schema: Constraint, also: Sequence[str] = ()) -> Accepts:
    """A grammar that takes what a schema takes, and some texts besides."""
    check = make_check(schema)
    return lambda texts: [
        None if check(text) is None or text in also else text.find("#") + 1 or 5 for text in texts
    ]


def test_a_grammar_that_means_the_same_has_no_difference() -> None:
    for schema in KINDS.values():
        assert compare(schema, taking(schema), make_texts(schema, 30)) == ()


def test_a_narrower_grammar_is_told_with_place_keyword_and_example() -> None:
    loose, tight = KINDS["lengths"], of(type="string", minLength=3, maxLength=5)
    (found,) = compare(loose, taking(tight), make_texts(loose, 60))
    assert (found.kind, found.place, found.keyword) == ("narrower", "$.a", "minLength")
    assert found.example.startswith('{"a":"')
    assert "the grammar refuses what the schema allows" in found.line()


def test_a_wider_grammar_is_told_with_each_fault() -> None:
    tight, loose = KINDS["integer"], of(type="number")
    found = compare(tight, taking(loose), make_texts(tight, 60))
    assert {one.kind for one in found} == {"wider"}
    assert {(one.place, one.keyword) for one in found} >= {("$.a", "minimum"), ("$.a", "maximum")}


def test_a_value_that_one_spelling_writes_is_not_refused() -> None:
    schema = of(enum=[0.1])
    texts = make_texts(schema, 5)._replace(misses=[])
    assert texts.instances == [('{"a":0.1}', '{"a":0.10000000000000001}')]
    assert (
        compare(schema, lambda asked: [0 if "0.1}" in one else None for one in asked], texts) == ()
    )


def test_the_texts_of_choices_and_patterns() -> None:
    for given in (Constraint("choice", '["yes", "no"]'), Constraint("regex", "[a-z]+-\\d{2}")):
        texts = make_texts(given, 20)
        assert texts.instances
        assert texts.misses
