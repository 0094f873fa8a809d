"""The task of generating text: its requests, checks and columns."""

import json
import re
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES, Tries
from llmbatch.core.records import Message
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import registry
from llmbatch.pipeline.tasks.base import AnswerColumns, Task

SCHEMA = {"properties": {"name": {"type": "string"}, "n": {"type": ["integer", "null"]}}}


def task(**changes: Any) -> Task:
    table = {"input": "i.csv", "output": "o.csv", "model": "m", "prompt": "p"}
    return registry.make(JobSpec.model_validate(table | changes))


def test_a_request_has_what_the_job_asks_of_every_row() -> None:
    made = task(sampling={"max_tokens": 7}, answer={"choice": ["a", "b"]})
    request = made.request("k", [Message("user", "x")], NO_TRIES, {"seed": 1})
    assert (request.key, request.messages) == ("k", (Message("user", "x"),))
    assert request.sampling.max_tokens == 7
    assert request.constraint == made.constraint
    assert request.body == {"seed": 1}


def test_requests_that_are_sent_alike_share_their_sampling() -> None:
    """Engines cache by the object."""
    made = task()
    longer = Tries(1, 1, truncated=1)
    one, two = (made.request(key, [], NO_TRIES, None) for key in "ab")
    three, four = (made.request(key, [], longer, None) for key in "ab")
    assert one.sampling is two.sampling
    assert three.sampling is four.sampling
    assert three.sampling.max_tokens == 2 * one.sampling.max_tokens


@pytest.mark.parametrize(
    ("answer", "columns"),
    [
        ({}, AnswerColumns("text", {})),
        ({"choice": ["a"]}, AnswerColumns("text", {})),
        ({"schema": {}}, AnswerColumns("json", {}, is_json=True)),
        ({"schema": {"const": 5}}, AnswerColumns("integer", {}, is_json=True)),
        ({"schema": SCHEMA}, AnswerColumns("json", {"name": "text", "n": "integer"}, is_json=True)),
        (
            {"schema": SCHEMA | {"additionalProperties": True}},
            AnswerColumns("json", {"name": "text", "n": "integer"}, is_json=True, has_rest=True),
        ),
    ],
)
def test_the_columns_follow_the_schema(answer: dict[str, Any], columns: AnswerColumns) -> None:
    assert task(answer=answer).columns == columns


def test_an_answer_is_held_to_the_constraint() -> None:
    with task(answer={"schema": SCHEMA}).check() as check:
        assert check(json.dumps({"n": 1})).reason is None
        assert "breaks the schema" in (check(json.dumps({"n": "one"})).reason or "")


def test_a_constraint_that_no_answer_can_be_checked_by_is_refused() -> None:
    task(answer={"regex": "a+"}).require_valid()
    with pytest.raises(UsageError, match="regex"):
        task(answer={"regex": "("}).require_valid()


def test_a_row_asks_for_nothing_besides() -> None:
    assert task().body('{"seed": 1}') is None


NONE_REQUIRED = r"\{\} is a full answer: the schema requires none of name, n; name under `required`"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"required": ["n"]}, False),
        ({"minProperties": 1}, False),
        ({"anyOf": [{"required": ["n"]}, {"required": ["name"]}]}, False),
        ({"properties": {}}, False),
    ],
)
def test_a_schema_that_takes_an_empty_object_is_told(changes: dict[str, Any], told: bool) -> None:
    notices = task(answer={"schema": SCHEMA | changes}).notices()
    assert len(notices) == told
    assert not told or re.match(NONE_REQUIRED, notices[0])


def test_a_notice_names_some_of_many_properties() -> None:
    (notice,) = task(
        answer={"schema": {"properties": {name: {} for name in "abcdefghij"}}}
    ).notices()
    assert "none of a, b, c, d, e, f, g, h and 2 more;" in notice
    assert task(answer={"regex": "a+"}).notices() == task().notices() == []
