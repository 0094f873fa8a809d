"""The task of embedding: what it asks, what it takes for a vector, what it refuses."""

import base64
import json
import struct
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES
from llmbatch.core.records import Ask, Message
from llmbatch.engines.pooling import Pooling
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import own_keys, registry
from llmbatch.pipeline.tasks.base import Task

TABLE = {"input": "i.csv", "output": "o.csv", "model": "m", "prompt": "{{ t }}", "task": "embed"}
UNIT = Pooling("vector", "mean", normalized=True, width=2)


def task(**changes: Any) -> Task:
    return registry.make(JobSpec.model_validate(TABLE | changes))


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def test_a_text_is_asked_for_its_vector() -> None:
    made = task(embed={"dimensions": 4, "normalize": False, "prompt_name": "query"})
    request = made.request("k", [Message("text", "a")], NO_TRIES, None)
    assert request.ask == Ask("embed", dimensions=4, normalize=False, prompt_name="query")
    assert made.columns.whole == "float32[4]"
    assert not made.columns.fields


def test_a_vector_is_kept_as_it_is() -> None:
    with task().check(lambda: UNIT) as check:
        assert check(packed(0.6, 0.8)) == (None, packed(0.6, 0.8))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no base64", "is not base64"),
        ("", "has 0 bytes"),
        ("AAAA", "has 3 bytes"),
        (packed(1, 0, 0), "has 3 numbers, not 2"),
        (packed(float("nan"), 1), "not finite"),
        (packed(float("inf"), 1), "not finite"),
        (packed(0, 0), "is zero"),
        (packed(0.5, 0.5), "has the length 0.707107, not 1"),
    ],
)
def test_what_is_no_such_vector_is_no_answer(text: str, reason: str) -> None:
    with task().check(lambda: UNIT) as check:
        assert reason in (check(text).reason or "")


def test_the_job_says_the_width_and_the_length() -> None:
    with task(embed={"dimensions": 3, "normalize": False}).check(lambda: UNIT) as check:
        assert check(packed(3, 4, 5)).reason is None
        assert check(packed(3, 4)).reason == "the vector has 2 numbers, not 3"


def test_without_the_engines_word_all_have_the_width_of_the_first() -> None:
    with task().check() as check:
        assert check(packed(3, 4)).reason is None
        assert check(packed(3, 4, 5)).reason == "the vector has 3 numbers, not 2"


@pytest.mark.parametrize(("overflow", "beside"), [("truncate", "cut"), ("split", "parts")])
def test_what_became_of_a_long_text_stands_beside_its_vector(overflow: str, beside: str) -> None:
    made = task(embed={"overflow": overflow, "vector_dtype": "float16"})
    assert made.columns.fields == {"response": "float16[]", beside: "integer"}
    with made.check(lambda: UNIT) as check:
        reason, text = check(json.dumps({"vector": packed(1, 0), beside: 2}))
        assert (reason, json.loads(text)) == (None, {"response": packed(1, 0), beside: 2})
        assert check(packed(1, 0)).reason is not None
        assert check(json.dumps({"vector": packed(1, 0)})).reason is not None
        assert check(json.dumps({"vector": packed(2, 0), beside: 2})).reason is not None


def test_a_system_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="a vector is made of one text"):
        task(system="s").require_valid()


def test_settings_of_vectors_are_refused_for_texts() -> None:
    spec = JobSpec.model_validate(TABLE | {"task": "generate", "embed": {"dimensions": 4}})
    with pytest.raises(UsageError, match="--dimensions: not for --task generate; it is for"):
        own_keys.require(spec, registry.make(spec))
