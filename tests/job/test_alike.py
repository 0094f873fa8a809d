"""Runs are alike when their requests are shaped alike."""

from typing import Any

import pytest
from pydantic import BaseModel

from llmbatch.job.alike import is_alike
from llmbatch.job.fields import Section, answer, neutral, rendered, shaping
from llmbatch.job.spec import JobSpec

BASE = {"input": "a.csv", "output": "b.jsonl", "model": "m", "prompt": "{{ t }}"}
OTHER: dict[str, Any] = {
    "task": "embed",
    "model": "n",
    "prompt": "{{ u }}",
    "system": "Be brief",
    "examples": [{"t": "a", "response": "b"}],
    "example_answer": "a",
    "messages": "chat",
    "prefill": "It is",
    "raw": True,
    "sampling": {"max_tokens": 9},
    "answer": {"choice": ["a", "b"]},
    "embed": {"dimensions": 4},
    "classify": {"labels": ["a", "b"]},
    "score": {"query": "{{ t }}"},
    "template": {"kwargs": {"enable_thinking": False}},
}
"""Another value of each field by which runs differ."""
OF_NO_MATTER: dict[str, Any] = {
    "input": "other.csv",
    "record_order": "input",
    "duplicates": "each",
    "engine": {"name": "other:create"},
    "run": {"max_rows": 9},
}


def alike(**changes: Any) -> bool:
    kept = JobSpec.model_validate(BASE).model_dump(mode="json", by_alias=True)
    return is_alike(kept, JobSpec.model_validate(BASE | changes))


@pytest.mark.parametrize("name", OTHER)
def test_what_shapes_an_answer_makes_another_run(name: str) -> None:
    assert not alike(**{name: OTHER[name]})


@pytest.mark.parametrize("name", OF_NO_MATTER)
def test_other_settings_leave_runs_alike(name: str) -> None:
    assert alike(**{name: OF_NO_MATTER[name]})


def test_a_run_of_a_version_without_a_setting_had_its_default() -> None:
    kept = JobSpec.model_validate(BASE).model_dump(mode="json", by_alias=True)
    del kept["template"], kept["sampling"]["top_k"], kept["task"], kept["raw"]
    assert is_alike(kept, JobSpec.model_validate(BASE))
    assert not is_alike(kept, JobSpec.model_validate(BASE | {"sampling": {"top_k": 3}}))


def test_every_field_that_can_change_an_answer_shapes_it() -> None:
    """A new one needs a value in OTHER."""
    assert shaping(JobSpec) - {"record_order"} | {"model"} == OTHER.keys()


def test_fields_shape_an_answer_as_they_declare() -> None:
    class Table(Section):
        said: int = answer(1, "in the key")
        shown: str = rendered("", "in the messages", alias="written")
        other: int = neutral(1, "neither")

    class Bare(BaseModel):
        forgotten: int = 1

    assert shaping(Table) == {"said", "written"}
    with pytest.raises(AssertionError):
        shaping(Bare)
