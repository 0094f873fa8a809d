"""Jobs whose retries cannot be told anything say so before anything is run."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job

TABLE = {"input": "in.jsonl", "output": "o.jsonl", "model": "m", "prompt": "{{ t }}"}
LABELS = {"task": "classify", "classify": {"labels": ["a", "b"]}}
CHOICE = {"answer": {"choice": ["a", "b"]}}


def make(**changes: Any) -> None:
    ready_job.make(JobSpec.model_validate(TABLE | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run": {"feedback_text": "Again"}}, "said with --feedback alone"),
        (LABELS | {"run": {"feedback": True}}, "--task classify has no text"),
        ({"task": "embed", "run": {"feedback": True}}, "--task embed has no text"),
        (CHOICE | {"raw": True, "run": {"feedback": True}}, "--raw sends a text without a chat"),
        (CHOICE | {"run": {"feedback": True, "attempts": 1}}, "leaves no second try"),
        ({"run": {"feedback": True}}, "every text is an answer"),
    ],
)
def test_what_could_never_be_told_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        make(**changes)
    assert str(refused.value).startswith("--feedback")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_can_be_told_is_taken() -> None:
    make(**CHOICE, run={"feedback": True, "feedback_text": "Again: {{ reason }}"})
