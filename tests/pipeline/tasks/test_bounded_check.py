"""Whatever a check takes, it is bounded, and leaves nothing behind."""

import json
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from llmbatch.constraints.check import is_surely_quick, make_judge
from llmbatch.core.records import Constraint
from llmbatch.pipeline.tasks.bounded_check import BoundedCheck

# Each more letter doubles what it takes to find that an answer does not fit. This one takes some
# seconds; the limits below are far less.
SLOW = "(a|aa)*b"
ALMOST = "a" * 36
WORD = Constraint("regex", r"(?:\w+ )*\w+")


def schema(value: Any) -> Constraint:
    return Constraint("json", json.dumps(value))


@pytest.fixture
def words(_others: None) -> Iterator[BoundedCheck]:
    with BoundedCheck(WORD) as check:
        yield check


_OTHERS: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Processes of other tests."""
    _OTHERS.clear()
    _OTHERS.update(psutil.Process().children(recursive=True))


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if one not in _OTHERS]


@pytest.mark.parametrize(
    ("constraint", "answer"),
    [
        (Constraint("regex", SLOW), ALMOST),
        (schema({"properties": {"a": {"pattern": f"^{SLOW}$"}}}), json.dumps({"a": ALMOST})),
        (schema({"patternProperties": {f"^{SLOW}$": {}}}), json.dumps({ALMOST: 1})),
    ],
    ids=["regex", "pattern", "names"],
)
def test_a_check_that_takes_too_long_is_given_up(constraint: Constraint, answer: str) -> None:
    with BoundedCheck(constraint, limit=0.05) as check:
        began = time.monotonic()
        assert check(answer).reason == "the check took longer than 0.05 s"
        # The next one is checked by another helper.
        assert check('{"a": "b"}' if constraint.kind == "json" else "b").reason is None
        assert time.monotonic() - began < 15
    assert not children()


def test_items_that_must_differ_need_no_bound() -> None:
    items = [{"a": number, "b": [number]} for number in range(500)]
    unique = schema({"uniqueItems": True})
    assert is_surely_quick(unique, json.dumps(items))
    began = time.process_time()
    assert make_judge(unique)(json.dumps(items)).reason is None
    assert "[0] and [500] are equal" in str(make_judge(unique)(json.dumps([*items, items[0]])))
    assert time.process_time() - began < 1


def test_a_helper_also_says_how_an_answer_is_written() -> None:
    held = schema({"properties": {"a": {"enum": [0.1]}, "b": {"pattern": "a|ab"}}})
    with BoundedCheck(held) as check:
        assert check('{"a": 0.10000000000000001}') == (None, '{"a": 0.1}')
        assert check('{"a": 0.1, "b": "é"}').reason
        assert len(children()) == 1


def test_answers_follow_each_other_through_one_helper(words: BoundedCheck) -> None:
    texts = ["a b", "", "é ß १२", "a  b", "\ud800", "x " * 50_000 + "x"]
    told = [words(text) for text in texts]
    assert told == [make_judge(WORD)(text) for text in texts]
    assert [one.reason for one in told[:2]] == [None, "does not match the regex"]
    assert len(children()) == 1


def test_a_helper_that_was_killed_costs_one_answer(words: BoundedCheck) -> None:
    assert words("a b").reason is None
    (helper,) = children()
    helper.send_signal(signal.SIGKILL)
    helper.wait()
    assert words("a b").reason == "the check of this answer broke down"
    assert words("a b").reason is None


def test_simple_checks_need_no_helper() -> None:
    plain = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
    simple = {
        Constraint("choice", '["a"]'): "a",
        Constraint("regex", r"[A-Z]{2}-\d{4}"): "AB-1234",
        Constraint("regex", r"[a-z ]+"): "some words",
        schema(plain): '{"a": "x"}',
    }
    for plain_one, answer in simple.items():
        with BoundedCheck(plain_one) as check:
            assert check(answer).reason is None
            assert not children()
    with BoundedCheck(None) as check:
        assert check("anything") == (None, "anything")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "a*a*",
        "a?a?",
        "a{2,}b{3,}",
        "a{0,9}b{0,9}",
        "a|ab",
        "(?:a|ab)b",
        r"\w+@\w+",
        "(?i)a+b*",
    ],
)
def test_what_may_be_tried_in_many_ways_is_not_simple(pattern: str) -> None:
    re.compile(pattern)
    assert not is_surely_quick(Constraint("regex", pattern), "a")


@pytest.mark.parametrize(
    "value",
    [
        {"properties": {"a": {"pattern": "a"}}},
        {"anyOf": [{"items": {"patternProperties": {"a": {}}}}]},
        {"$defs": {"a": {}}, "items": {"$ref": "#/$defs/a"}},
    ],
)
def test_schemas_whose_check_may_grow_are_not_simple(value: Any) -> None:
    assert not is_surely_quick(schema(value), "{}")


def test_a_long_answer_is_not_surely_quick() -> None:
    digits = Constraint("regex", "[0-9]+")
    assert is_surely_quick(digits, "1" * 1000)
    assert not is_surely_quick(digits, "1" * 1_000_000)
