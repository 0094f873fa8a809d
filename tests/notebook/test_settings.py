"""Settings of a call: by their own names or in their tables, as a job file has them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from llmbatch.core.errors import UsageError
from llmbatch.notebook import settings


class Found(BaseModel):
    """A form of an answer."""

    place: str


@pytest.mark.parametrize(
    ("given", "table"),
    [
        ({"model": "m", "system": None}, {"model": "m"}),
        ({"output": Path("o.csv")}, {"output": "o.csv"}),
        ({"max_tokens": 9}, {"sampling": {"max_tokens": 9}}),
        ({"sampling": {"seed": 1}, "max_tokens": 9}, {"sampling": {"seed": 1, "max_tokens": 9}}),
        ({"max_tokens": 9, "sampling": {"seed": 1}}, {"sampling": {"seed": 1, "max_tokens": 9}}),
        ({"choice": ("a", "b")}, {"answer": {"choice": ["a", "b"]}}),
        ({"schema": Found}, {"answer": {"schema": Found.model_json_schema()}}),
        ({"answer": {"schema": Found}}, {"answer": {"schema": Found.model_json_schema()}}),
        ({"engine": {"max_model_len": 9}}, {"engine": {"max_model_len": 9}}),
        ({"reports": [Path("r.html")]}, {"run": {"reports": ["r.html"]}}),
    ],
)
def test_settings_are_those_of_a_job_file(given: dict[str, Any], table: dict[str, Any]) -> None:
    assert settings.to_table(given) == table


@pytest.mark.parametrize(("name", "near"), [("promt", "prompt"), ("max_token", "max_tokens")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(
        UsageError, match=f"{name}: there is no such setting .did you mean '{near}'"
    ):
        settings.to_table({name: 1})
