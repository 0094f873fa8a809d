"""The drawing of tokens that a model's makers recommend."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.engines.generation_defaults import defaults

RECOMMENDED = {"temperature": 0.6, "top_k": 20, "max_new_tokens": 99, "eos_token_id": [1, 2]}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of a model with recommendations."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "generation_config.json").write_text(json.dumps(RECOMMENDED))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"temperature": 0.6, "top_k": 20, "max_tokens": 99}),
        ({"generation_config": "vllm"}, {}),
        ({"generation-config": "vllm"}, {}),
        (
            {"override_generation_config": {"temperature": 0.2, "do_sample": True}},
            {"temperature": 0.2, "top_k": 20, "max_tokens": 99},
        ),
        ({"generation_config": "/nowhere"}, {}),
    ],
)
def test_the_recommendations_of_a_folder(
    model: Path, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert defaults(str(model), options) == expected


def test_a_folder_that_the_options_name_goes_before_that_of_the_model(
    model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "generation_config.json").write_text('{"temperature": 0.9}')
    assert defaults(str(model), {"generation_config": str(other)}) == {"temperature": 0.9}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"temperature": "hot", "top_k": true}'])
def test_a_file_that_says_nothing(model: Path, content: str | None) -> None:
    path = model / "generation_config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert defaults(str(model), {}) == {}


def test_a_model_that_is_not_there_has_none() -> None:
    assert defaults("./no-such-folder", {}) == {}
