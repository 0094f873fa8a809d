"""The configuration of a job's engines: whether their answers are drawn."""

from typing import Any

import pytest

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import engine_config, registry

BASE: dict[str, Any] = {"input": "a.csv", "output": "b.jsonl", "model": "m", "prompt": "{{ t }}"}
LABELS = {"task": "classify", "classify": {"labels": ["a", "b"]}}


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({}, False),
        ({"sampling": {"temperature": 0.1}}, True),
        ({"sampling": {"seed": 7}}, False),
        (LABELS, True),  # log probabilities are wanted
        ({"input": {"files": ["a.jsonl"], "format": "openai-batch"}, "prompt": None}, True),
    ],
)
def test_answers_are_drawn_unless_they_follow_from_the_model(
    settings: dict[str, Any], drawn: bool
) -> None:
    spec = JobSpec.model_validate(BASE | settings)
    assert engine_config.make(spec, registry.make(spec)).drawn is drawn
