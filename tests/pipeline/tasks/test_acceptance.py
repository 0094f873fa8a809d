"""An answer that breaks its constraint never counts; a constraint that is none stops the job."""

import json
from typing import Any

import pytest

from llmbatch.constraints.check import make_judge
from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Outcome, Usage
from llmbatch.core.records import Constraint
from llmbatch.pipeline.tasks.acceptance import Acceptance

USAGE = Usage(prompt=5, cached=2, output=3)
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}


def constraint(kind: Any, value: Any) -> Constraint:
    return Constraint(kind, value if kind == "regex" else json.dumps(value))


def accepted(kind: Any, value: Any, text: str) -> Outcome:
    return Acceptance(make_judge(constraint(kind, value)))(Completed("k", text, "stop", USAGE))


def schema(value: Any) -> Acceptance:
    return Acceptance(make_judge(constraint("json", value)))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("choice", ["yes", "no"], "no"),
        ("regex", "[0-9]+", "123"),
        ("json", {"type": "object"}, ' {"a": 1}\n'),
        ("json", {"enum": [1, "a"]}, '"a"'),
        ("json", {"type": "integer"}, "123456789012345678901234567890"),
        ("json", TREE, '{"name": "a", "children": [{"name": "b", "children": []}]}'),
    ],
)
def test_an_answer_that_keeps_its_constraint_is_accepted(kind: str, value: Any, text: str) -> None:
    assert accepted(kind, value, text) == Completed("k", text, "stop", USAGE)


@pytest.mark.parametrize(
    ("kind", "value", "text", "reason"),
    [
        ("choice", ["yes", "no"], "Yes", "'Yes' is not one of the choices"),
        ("choice", ["yes", "no"], "yes ", "is not one of the choices"),
        ("choice", ["yes", "no"], "", "is not one of the choices"),
        ("regex", "[0-9]+", "12a", "does not match the regex"),
        ("regex", "a|ab", "abc", "does not match the regex"),
        ("regex", "[0-9]+", "12\n", "does not match the regex"),
        ("json", {"type": "object"}, "{", "is not JSON"),
        ("json", {"type": "object"}, "", "is not JSON"),
        ("json", {"type": "number"}, "NaN", "is not JSON"),
        ("json", {"type": "object"}, "[]", "breaks the schema at $: "),
        ("json", {"properties": {"a": {"type": "integer"}}}, '{"a": "1"}', "schema at $.a: "),
        ("json", TREE, '{"name": "a", "children": [{}]}', "schema at $.children[0]: "),
        ("json", TREE, '{"name": "a", "more": 1}', "breaks the schema at $: "),
    ],
)
def test_an_answer_that_breaks_its_constraint_is_a_failure(
    kind: str, value: Any, text: str, reason: str
) -> None:
    outcome = accepted(kind, value, text)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "invalid_output"
    assert reason in outcome.message
    assert (outcome.text, outcome.finish_reason, outcome.usage) == (text, "stop", USAGE)


def test_any_text_is_accepted_without_a_constraint() -> None:
    answer = Completed("k", "", "stop", USAGE)
    assert Acceptance(make_judge(None))(answer) is answer


@pytest.mark.parametrize("held", [None, constraint("choice", ["yes"])])
def test_a_cut_answer_is_never_passed_off_as_an_answer(held: Constraint | None) -> None:
    outcome = Acceptance(make_judge(held))(Completed("k", "yes", "length", USAGE))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text) == ("truncated", "yes")


def test_an_answer_that_was_cut_by_the_context_is_another_failure() -> None:
    outcome = Acceptance(make_judge(None))(Completed("k", "yes", "context", Usage(5, 0, 3)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text, outcome.usage.output) == ("context_full", "yes", 3)
    assert not FAILURE_KINDS["context_full"].retryable
    assert "3 tokens" in outcome.message


def test_an_answer_is_kept_with_the_numbers_of_its_schema() -> None:
    """An engine may write 0.1 with 17 digits; all else of an answer stays byte for byte."""
    held = {"properties": {"score": {"enum": [0.1, 0.7]}, "other": {"type": "number"}}}
    text = '{ "score": 0.10000000000000001,\n"other": 0.10000000000000001 }'
    outcome = accepted("json", held, text)
    assert isinstance(outcome, Completed)
    assert outcome.text == '{ "score": 0.1,\n"other": 0.10000000000000001 }'


LOOPS = [
    "The desk from order 1" + "0" * 70,  # a third of a short answer
    '{"summary":"Nova' + "\\f" * 50,
    "The answer is: " + "no, " * 200,
    '{"a": 1' + " " * 400,
    '{"a": 1' + "\n\t  \n" * 90 + "\t\n",
    "x" + "A sentence of about fifty characters, over and over. " * 8 + "A sentence of ab",
]
NO_LOOPS = [
    "| a | b | c |\n" + "|---|---|---|\n" * 3,
    "x" * 3 + "a well-kept list of things that were sold last year " * 4 + "0" * 60,
    "ab" * 31,
    "no, " * 15,
    "A sentence of about fifty characters, over and over. " * 7,
    "Some text, never the same: " + ", ".join(map(str, range(300))),
    "| a | b |\n| --- | --- |\n" * 8 + "the end",
    "",
]


@pytest.mark.parametrize("reason", ["length", "context"])
@pytest.mark.parametrize("text", LOOPS)
def test_a_cut_answer_that_ends_in_a_loop_is_another_failure(text: str, reason: str) -> None:
    answer = Completed("k", text, reason, USAGE)
    outcome = Acceptance(make_judge(None))(answer)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text, outcome.usage) == ("repetition", text, USAGE)
    assert outcome.message.startswith("repeats itself, ended after 3 tokens: '")
    kept = Acceptance(make_judge(None), loops_fail=False)(answer)
    assert isinstance(kept, Failed)
    assert kept.kind != "repetition"


@pytest.mark.parametrize("text", NO_LOOPS)
def test_an_answer_that_repeats_some_is_cut_as_any_other(text: str) -> None:
    outcome = Acceptance(make_judge(None))(Completed("k", text, "length", USAGE))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "truncated"


def test_an_answer_that_ends_by_itself_may_repeat_what_it_likes() -> None:
    answer = Completed("k", LOOPS[0], "stop", USAGE)
    assert Acceptance(make_judge(None))(answer) is answer


def test_the_loop_that_an_engine_ended_is_shown() -> None:
    outcome = Acceptance(make_judge(None))(Completed("k", "ab" * 9, "repetition", USAGE))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == ("repetition", "repeats itself, ended after 3 tokens")
    assert FAILURE_KINDS["repetition"].retryable


def test_a_failure_stays_what_it_is() -> None:
    failure = Failed("k", "too_long", "no room")
    assert Acceptance(make_judge(constraint("choice", ["a"])))(failure) is failure


def test_a_message_does_not_carry_a_whole_answer() -> None:
    outcome = accepted("json", {"maxLength": 3}, json.dumps("x" * 5000))
    assert isinstance(outcome, Failed)
    assert len(outcome.message) < 300


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("choice", ["a", "b", "a"], "choice: the answers must differ"),
        ("choice", ["a", ""], "none may be empty"),
        ("regex", "(a", "regex: the group has no end: write ) after it"),
        ("choice", ["\udcff"], "choice: an answer is not valid UTF-8"),
        ("regex", "a{99999999999999}", "(at character 2 of the pattern)"),
        ("json", {"type": "strnig"}, "schema: is not a JSON Schema: $.type: "),
        ("json", {"type": "string", "pattern": "["}, "schema: $.pattern: the set has no end"),
        ("json", {"$ref": "#/$defs/none"}, "$ref '#/$defs/none' points to nothing"),
        ("json", {"items": {"$ref": "https://x.org/s.json"}}, "points outside the schema"),
        ("json", {"items": {"$ref": "other.json#/a"}}, "points outside the schema"),
        ("json", {"allOf": [{"$ref": "#/nowhere"}]}, "points to nothing"),
        ("json", {"$dynamicRef": "https://x.org/s.json"}, "points outside the schema"),
        ("json", {"$ref": "#"}, "$: refers to itself"),
    ],
)
def test_a_constraint_that_is_none_stops_the_job(kind: str, value: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_judge(constraint(kind, value))
    assert reason in str(caught.value)


@pytest.mark.parametrize("reference", ["#", "#/$defs/a~1b", "#/$defs/c~0d"])
def test_a_reference_into_the_schema_is_followed(reference: str) -> None:
    held = {"$defs": {"a/b": {}, "c~d": {}}, "properties": {"x": {"$ref": reference}}}
    assert isinstance(schema(held)(Completed("k", '{"x": {}}', "stop", USAGE)), Completed)


def test_a_property_may_be_called_ref() -> None:
    held = {"properties": {"$ref": {"type": "string"}}}
    assert isinstance(schema(held)(Completed("k", '{"$ref": "a"}', "stop", USAGE)), Completed)


@pytest.mark.parametrize("depth", [100, 500, 1000, 5000])
def test_an_answer_nested_too_deep_to_check_fails_by_itself(depth: int) -> None:
    nested = {"$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}
    outcome = accepted("json", {**nested, "$ref": "#/$defs/n"}, "[" * depth + "]" * depth)
    assert isinstance(outcome, Completed) == (depth == 100)
