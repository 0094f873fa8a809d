"""The task of choosing among labels: what is asked, and the columns of an answer."""

import json
import math
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.outcomes import NO_TRIES, Tries
from llmbatch.core.records import Ask, Message
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import keys
from llmbatch.pipeline.tasks import own_keys, registry
from llmbatch.pipeline.tasks.base import Task

TABLE = {"input": "i.csv", "output": "o.csv", "model": "m", "task": "classify", "prompt": "{{ t }}"}
LABELS = ["billing", "refund", "other"]


def spec(**classify: Any) -> JobSpec:
    return JobSpec.model_validate(TABLE | {"classify": {"labels": LABELS} | classify})


def task(**classify: Any) -> Task:
    return registry.make(spec(**classify))


def judged(text: str) -> Any:
    with task().check() as check:
        reason, made = check(text)
    return reason or json.loads(made)


def test_labels_are_asked_for_the_same_at_each_try() -> None:
    made = task()
    chat = [Message("user", "x")]
    first = made.request("k", chat, NO_TRIES, None)
    assert first.ask == Ask("labels", tuple(LABELS))
    assert made.request("k", chat, Tries(3, 3, truncated=1, invalid=1), None) == first
    assert task(label_tokens="all").ask == Ask("labels", tuple(LABELS), whole=True)


def test_the_columns_say_share_mass_and_runner_up() -> None:
    found = judged(json.dumps([math.log(0.1), math.log(0.3), math.log(0.2)]))
    assert found == {
        "response": "refund",
        "confidence": 0.5,
        "label_mass": 0.6,
        "runner_up": "other",
        "runner_up_confidence": 0.333333,
    }
    assert found.keys() == task().columns.fields.keys()


def test_what_a_model_hardly_says_is_told_and_still_compared() -> None:
    found = judged("[-800, -801, -900]")
    assert (found["response"], found["label_mass"]) == ("billing", 0)
    assert found["confidence"] == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-5)
    small = judged("[-15, -10.5, -30]")
    assert small["label_mass"] == pytest.approx(2.8e-5, rel=0.02)


def test_of_equal_labels_the_first_is_taken_and_none_is_beyond_one() -> None:
    found = judged("[1e-9, 1e-9, -50]")
    assert (found["response"], found["runner_up"], found["label_mass"]) == ("billing", "refund", 1)


@pytest.mark.parametrize("text", ["[-1, -2]", "[-1, NaN, -2]", "no", "[-1, null, -2]", "7"])
def test_an_answer_without_a_number_for_each_label_is_refused(text: str) -> None:
    assert "prob" in judged(text)


def test_one_label_is_no_choice() -> None:
    with pytest.raises(UsageError, match="at least two labels"):
        task(labels=["a"]).require_valid()


@pytest.mark.parametrize("table", [{"sampling": {"temperature": 1}}, {"answer": {"choice": ["a"]}}])
def test_keys_that_could_do_nothing_are_refused(table: dict[str, Any]) -> None:
    job = JobSpec.model_validate(TABLE | {"classify": {"labels": LABELS}} | table)
    with pytest.raises(UsageError, match="not for --task classify"):
        own_keys.require(job, registry.make(job))


def key(**classify: Any) -> str:
    job = spec(**classify)
    return keys.KeyMaker(job, registry.make(job), {"model": "m"}).key("[]")


def test_what_changes_an_answer_is_in_the_key() -> None:
    assert key() == key(descriptions={"billing": "money"}) == key(list_labels=False, gold="g")
    assert len({key(), key(labels=[*LABELS, "more"]), key(label_tokens="all")}) == 3
