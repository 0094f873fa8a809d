"""The answers of rows with several samples: in a list, or by their vote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.exact_json import Json
from llmbatch.pipeline.rows.sampled_rows import Samples
from llmbatch.pipeline.tasks.base import AnswerColumns
from llmbatch.quality.votes import value_of

VOTE_OF_TEXTS = Samples(vote=True, is_json=False)
VOTE_OF_JSON = Samples(vote=True, is_json=True)


def row(*answers: str | None, thoughts: list[str | None] | None = None) -> dict[str, Any]:
    """A row with several samples, as the store has it."""
    return {
        "state": "answered",
        "samples": len(answers),
        "answer": json.dumps(answers),
        "reasoning": None if thoughts is None else json.dumps(thoughts),
    }


def shown(samples: Samples, *rows: dict[str, Any]) -> dict[str, Any]:
    (found,) = samples.shown(rows)
    return found


def test_all_samples_are_a_list_in_their_order() -> None:
    found = shown(Samples(vote=False, is_json=False), row('say "b"', "a", "a"))
    assert found["answer"] == '["say \\"b\\"","a","a"]'
    assert found["reasoning"] is None


def test_samples_that_are_json_are_written_as_they_are() -> None:
    found = shown(Samples(vote=False, is_json=True), row('{"a": 1.10}', "[2]"))
    assert found["answer"] == '[{"a": 1.10},[2]]'


def test_a_list_takes_one_column_whatever_a_sample_has() -> None:
    one = AnswerColumns("text", {"a": "integer"}, is_json=True, has_rest=True, reasons=True)
    many = Samples(vote=False, is_json=True).columns(one)
    assert many == AnswerColumns("json", {}, is_json=True, reasons=True)
    assert VOTE_OF_JSON.columns(one) == one


def test_what_was_thought_is_a_list_too() -> None:
    given = row("a", "b", thoughts=["so", None])
    assert shown(Samples(vote=False, is_json=False), given)["reasoning"] == Json('["so",null]')
    assert shown(VOTE_OF_TEXTS, given)["reasoning"] == "so"


def test_the_answer_of_most_samples_wins() -> None:
    found = shown(VOTE_OF_TEXTS, row("no", " yes\n", "maybe", "yes"))
    assert (found["answer"], found["agreement"]) == (" yes\n", 0.5)
    assert json.loads(found["votes"].text) == [
        {"answer": " yes\n", "samples": 2},
        {"answer": "no", "samples": 1},
        {"answer": "maybe", "samples": 1},
    ]


def test_of_equally_many_votes_the_first_sample_decides() -> None:
    assert shown(VOTE_OF_TEXTS, row("b", "a", "a", "b"))["answer"] == "b"
    assert shown(VOTE_OF_TEXTS, row("c", "a", "b", "b", "a"))["answer"] == "a"


def test_a_failed_sample_gives_no_vote_and_lowers_the_agreement() -> None:
    found = shown(VOTE_OF_TEXTS, row(None, None, "yes"))
    assert (found["answer"], found["agreement"]) == ("yes", 1 / 3)


def test_upper_and_lower_case_are_two_answers() -> None:
    assert shown(VOTE_OF_TEXTS, row("Yes", "yes", "yes"))["answer"] == "yes"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [1, 2]}', '{ "b":[1,2],"a":1 }'),
        ("1", "1.0"),
        ("1e3", "1000"),
        ('"\\u00e9"', '"é"'),
        ("123456789012345678901234567890", "123456789012345678901234567890.0"),
        ("-0", "0"),
    ],
)
def test_ways_to_write_one_value(one: str, other: str) -> None:
    assert value_of(one, is_json=True) == value_of(other, is_json=True)
    assert value_of(one, is_json=False) != value_of(other, is_json=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ('"1"', "1"),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ("0.1", "0.10000000000000000001"),
        ("[]", "{}"),
        ("null", "false"),
        ('[["a",1]]', '{"a":1}'),
    ],
)
def test_values_that_differ(one: str, other: str) -> None:
    assert value_of(one, is_json=True) != value_of(other, is_json=True)


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "1e99999999999999999999", "{"])
def test_what_cannot_be_read_is_compared_as_text(text: str) -> None:
    assert value_of(f" {text}", is_json=True) == text
    assert shown(VOTE_OF_JSON, row("1", text, text))["answer"] == text


def test_rows_of_one_sample_and_rows_without_an_answer_come_through() -> None:
    one = {"state": "answered", "samples": 1, "answer": "a", "reasoning": None}
    assert shown(Samples(vote=False, is_json=False), one)["answer"] == '["a"]'
    assert shown(VOTE_OF_TEXTS, one)["agreement"] == 1
    failed = {"state": "failed", "samples": 3, "answer": "cut", "reasoning": None}
    assert shown(VOTE_OF_TEXTS, failed) == failed


SHORT = st.text(max_size=3)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=6,
)


@given(value=VALUES)
def test_a_value_is_one_however_it_is_written(value: Any) -> None:
    plain = json.dumps(value)
    spaced = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    assert value_of(plain, is_json=True) == value_of(spaced, is_json=True)


@given(answers=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=8))
def test_the_votes_add_up(answers: list[str | None]) -> None:
    cast = [answer for answer in answers if answer is not None]
    if len(answers) == 1 or not cast:
        return
    found = shown(VOTE_OF_TEXTS, row(*answers))
    votes = {each["answer"]: each["samples"] for each in json.loads(found["votes"].text)}
    assert votes == {answer: cast.count(answer) for answer in cast}
    assert found["agreement"] == max(votes.values()) / len(answers)
    tied = [answer for answer in cast if votes[answer] == max(votes.values())]
    assert found["answer"] == tied[0]
