"""The task of scoring pairs: what it asks, what it takes for an answer, what it refuses."""

import base64
import json
import struct
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES
from llmbatch.core.records import Message
from llmbatch.engines.pooling import Pooling
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.tasks import numbers, own_keys, registry
from llmbatch.pipeline.tasks.base import Task

TABLE = {"input": "i.csv", "output": "o.csv", "model": "m"}
PAIR = {"task": "score", "score": {"query": "{{ q }}", "document": "{{ d }}"}}


def task(**changes: Any) -> Task:
    return registry.make(JobSpec.model_validate(TABLE | PAIR | changes))


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def test_a_pair_is_asked_for_one_number() -> None:
    messages = [Message("query", "a"), Message("document", "b")]
    request = task().request("k", messages, NO_TRIES, None)
    assert request.messages == tuple(messages)
    assert request.ask is not None
    assert (request.ask.kind, request.ask.pools, request.constraint) == ("score", True, None)


@pytest.mark.parametrize("kind", ["sigmoid", "raw", "cosine"])
def test_what_a_score_is_stands_beside_it(kind: Any) -> None:
    with task().check(lambda: Pooling(kind)) as check:
        reason, text = check(packed(-0.85937))
    assert reason is None
    assert json.loads(text) == {"response": -0.85937, "score_kind": kind}
    assert task().columns.fields == {"response": "number", "score_kind": "text"}


def test_a_document_that_was_cut_says_by_how_much() -> None:
    made = task(embed={"overflow": "truncate"})
    assert made.ask is not None
    assert (made.ask.overflow, made.columns.fields["cut"]) == ("truncate", "integer")
    with made.check(lambda: Pooling("raw")) as check:
        text = check(json.dumps({"vector": packed(0.5), "cut": 12})).text
    assert json.loads(text) == {"response": 0.5, "score_kind": "raw", "cut": 12}


def test_what_a_score_is_is_left_open_where_the_engine_does_not_say() -> None:
    with task().check() as check:
        assert json.loads(check(packed(0.5)).text) == {"response": 0.5, "score_kind": None}


@pytest.mark.parametrize(
    "text", ["", "no base64", packed(), packed(1, 2), packed(float("nan")), packed(float("inf"))]
)
def test_what_is_no_score_is_no_answer(text: str) -> None:
    with task().check(lambda: Pooling("raw")) as check:
        reason, kept = check(text)
    assert reason is not None
    assert reason.startswith("is no score: ")
    assert kept == text


@pytest.mark.parametrize("value", [0.1, 1 / 3, -1e-30, 16777217.0, 3.4028234e38, 0.0])
def test_a_number_has_the_fewest_digits_that_give_it_again(value: float) -> None:
    (exact,) = struct.unpack("<f", struct.pack("<f", value))
    (read,) = numbers.read(packed(value)).values
    assert struct.pack("<f", read) == struct.pack("<f", exact)
    assert len(repr(read)) <= len(repr(exact))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score": {}}, "--query and --document are missing"),
        ({"score": {"query": "a"}}, "--document is missing"),
        ({"prompt": "x"}, "neither a prompt nor a system prompt"),
        ({"system": "x"}, "neither a prompt nor a system prompt"),
        ({"answer": {"choice": ["a"]}}, "--choice: not for --task score; leave it out"),
        ({"sampling": {"temperature": 1}}, "--temperature: not for --task score"),
        ({"template": {"thinking": "off"}}, "--thinking: not for --task score"),
        ({"embed": {"dimensions": 8}}, "--dimensions: it is for --task embed"),
        ({"embed": {"overflow": "split"}}, "--overflow split: for --task score a text fails, or"),
    ],
)
def test_a_job_that_asks_for_something_else_is_refused(changes: Any, words: str) -> None:
    spec = JobSpec.model_validate(TABLE | PAIR | changes)
    with pytest.raises(UsageError, match=words):
        ready_job.make(spec)


@pytest.mark.parametrize("name", ["query", "document"])
def test_the_templates_of_a_pair_are_for_this_task_alone(name: str) -> None:
    spec = JobSpec.model_validate(TABLE | {"prompt": "{{ t }}", "score": {name: "{{ q }}"}})
    with pytest.raises(UsageError, match=f"--{name}: not for --task generate; it is for --task sc"):
        own_keys.require(spec, registry.make(spec))


def test_a_job_as_it_should_be_is_made_ready() -> None:
    assert ready_job.make(JobSpec.model_validate(TABLE | PAIR)).task.name == "score"
