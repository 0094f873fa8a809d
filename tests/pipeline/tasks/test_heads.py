"""The task of classifying by a model's own head: labels by its files, and their probabilities."""

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
from llmbatch.pipeline.prompts.pieces import Piece, pieces_of
from llmbatch.pipeline.tasks import classified, registry
from llmbatch.pipeline.tasks.base import Task

TABLE = {"input": "i.csv", "output": "o.csv", "model": "m", "task": "classify", "prompt": "{{ t }}"}
LABELS = ("billing", "refund", "other")


def spec(**changes: Any) -> JobSpec:
    return JobSpec.model_validate(TABLE | changes)


def task() -> Task:
    return registry.make(spec())


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def answer(pooling: Pooling | None, *values: float) -> Any:
    with task().check(lambda: pooling) as check:
        reason, text = check(packed(*values))
    assert reason is None
    found = json.loads(text)
    assert found.keys() == task().columns.fields.keys()
    return found


def test_a_text_is_asked_for_the_numbers_of_the_head() -> None:
    request = task().request("k", [Message("text", "x")], NO_TRIES, None)
    assert request.ask is not None
    assert (request.ask.kind, request.ask.pools) == ("heads", True)
    assert pieces_of(spec()) == (Piece("text", "prompt", "{{ t }}"),)
    assert spec().longest_answer == 0


def test_the_answer_is_the_likeliest_label_with_the_next_one() -> None:
    assert answer(Pooling("softmax", labels=LABELS), 0.25, 0.625, 0.125) == {
        "response": "refund",
        "confidence": 0.625,
        "label_mass": None,
        "runner_up": "billing",
        "runner_up_confidence": 0.25,
        "probabilities": {"refund": 0.625, "billing": 0.25, "other": 0.125},
    }


def test_independent_probabilities_are_all_there() -> None:
    found = answer(Pooling("sigmoid", labels=LABELS), 0.75, 0.125, 0.875)
    assert (found["response"], found["confidence"]) == ("other", 0.875)
    assert list(found["probabilities"]) == ["other", "billing", "refund"]


def test_of_equal_labels_the_first_is_the_answer() -> None:
    assert classified.ranked([0.25, 0.5, 0.5, 0.25]) == [1, 2, 0, 3]


def test_a_head_of_one_label_has_no_runner_up() -> None:
    found = answer(Pooling("sigmoid", labels=("toxic",)), 0.25)
    assert (found["runner_up"], found["runner_up_confidence"]) == (None, None)


def test_labels_that_the_engine_does_not_name_are_numbered() -> None:
    assert answer(None, 0.25, 0.75)["response"] == "LABEL_1"


@pytest.mark.parametrize("text", ["", "no base64", packed(0.5, 0.5), packed(0.5, float("nan"), 0)])
def test_numbers_that_fit_no_labels_are_no_answer(text: str) -> None:
    with task().check(lambda: Pooling("softmax", labels=LABELS)) as check:
        assert check(text).reason is not None


def test_a_head_takes_no_system_prompt() -> None:
    with pytest.raises(UsageError, match="--system: a classification head takes one text"):
        registry.make(spec(system="Be brief")).require_valid()
