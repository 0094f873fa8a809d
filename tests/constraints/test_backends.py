"""The copy of a constraint that an engine gets, and the backend that holds most of it."""

import json
from typing import Any

import pytest

from llmbatch.constraints import intake
from llmbatch.constraints.backends import EngineCopy, copies, copy_for
from llmbatch.constraints.check import make_judge
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint
from tests.constraints.copies.table import CASES, INTEGER, TEXT, Case, obj, text_of


def taken(schema: dict[str, Any]) -> Constraint:
    return Constraint("json", intake.take(schema).text)


def best(schema: dict[str, Any]) -> EngineCopy:
    return copies(taken(schema))[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_backend_that_leaves_least_to_the_check(case: Case) -> None:
    found = best(case.schema)
    assert found.backend == case.backend
    assert tuple(keyword for _, keyword in found.check_only) == case.check_only


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("backend", ["xgrammar", "guidance"])
def test_a_copy_allows_all_that_the_schema_does(case: Case, backend: str) -> None:
    copy = make_judge(copy_for(taken(case.schema), backend).constraint)
    schema = make_judge(taken(case.schema))
    for answer in case.good:
        assert schema(text_of(answer)).reason is None
        assert copy(text_of(answer)).reason is None
    assert all(schema(text_of(answer)).reason is not None for answer in case.bad)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("backend", ["xgrammar", "guidance"])
def test_a_copy_allows_more_only_where_it_says_so(case: Case, backend: str) -> None:
    copy = copy_for(taken(case.schema), backend)
    allows = make_judge(copy.constraint)
    wider = [answer for answer in case.bad if allows(text_of(answer)).reason is None]
    assert copy.check_only or not wider


def test_the_place_of_what_only_the_check_holds() -> None:
    tags = {"type": "array", "items": {"type": "array", "uniqueItems": True}}
    free = {"type": "object", "additionalProperties": TEXT | {"format": "regex"}}
    found = best(obj(tags=tags, **{"a b": free}))
    assert [f"{place} {keyword}" for place, keyword in found.check_only] == [
        "$.tags[] uniqueItems",
        "$['a b'].* format",
    ]


def test_properties_come_in_the_order_of_the_schema() -> None:
    base = {"type": "object", "properties": {"z": INTEGER, "a": INTEGER}}
    schema = {"allOf": [base, {"properties": {"m": INTEGER}}], "required": ["late"]}
    made = json.loads(best(schema).constraint.value)
    assert list(made["properties"]) == ["z", "a", "m", "late"]


def test_a_closed_object_is_one_that_names_properties() -> None:
    def rest(schema: dict[str, Any]) -> Any:
        return json.loads(best(schema).constraint.value)["additionalProperties"]

    named = {"type": "object", "properties": {"a": INTEGER}}
    assert rest(named) is False
    assert rest(named | {"additionalProperties": True}) == {}
    assert rest({"type": "object"}) == {}
    assert rest(named | {"minProperties": 2}) == {}


def test_a_regex_gets_its_grammar_and_choices_stay() -> None:
    pattern = copy_for(Constraint("regex", r"\Aa\Z"), "guidance")
    assert pattern.constraint.value == "a"
    choices = Constraint("choice", '["a","b"]')
    assert [copy.backend for copy in copies(choices)] == ["xgrammar", "guidance"]
    assert copies(choices)[0].constraint == choices


def test_an_unknown_backend_gets_the_schema_itself() -> None:
    schema = taken(obj(a=TEXT | {"pattern": "^a"}))
    assert copy_for(schema, "outlines").constraint == schema


def test_a_schema_of_too_many_alternatives_is_left_to_the_check() -> None:
    two = [{"anyOf": [{"minimum": n}, {"maximum": -n}]} for n in range(1, 16)]
    copy = copy_for(taken({"type": "integer", "allOf": two}), "xgrammar")
    assert copy.constraint.value == "{}"
    assert copy.check_only == (("$", "the whole schema"),)


def test_keywords_that_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="no answer"):
        copy_for(Constraint("json", '{"type":"integer","minimum":2,"maximum":1}'), "xgrammar")


def test_an_assertion_that_no_grammar_holds_is_said_to_be_checked_only() -> None:
    pattern = "^(?=.{1,25300}$)[a-z]+$"
    note = "(the assertion at character 2 of the pattern)"
    left = copy_for(Constraint("regex", pattern), "xgrammar").check_only
    assert [tuple(one) for one in left] == [("$", f"regex {note}")]
    schema = Constraint("json", json.dumps({"type": "string", "pattern": pattern}))
    left = copy_for(schema, "guidance").check_only
    assert [one.keyword for one in left] == [f"pattern {note}"]
