"""The vectors of a model, by its files."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Ask
from llmbatch.engines import pooling, pooling_files
from llmbatch.engines.pooling import Pooling

CONFIG = {"hidden_size": 384, "max_position_embeddings": 512}
POOLING = "1_Pooling/config.json"
EMBED = Ask("embed")


def step(name: str, path: str = "") -> dict[str, str]:
    return {"type": f"sentence_transformers.models.{name}", "path": path}


TRANSFORMER, POOL, NORMALIZE = step("Transformer"), step("Pooling", "1_Pooling"), step("Normalize")
FILES: dict[str, Any] = {
    "modules.json": [TRANSFORMER, POOL, NORMALIZE],
    POOLING: {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
}


def read(
    changes: Mapping[str, Any] | None = None,
    ask: Ask = EMBED,
    config: Mapping[str, Any] = CONFIG,
) -> Pooling:
    files = FILES | dict(changes or {})

    def content(name: str) -> bytes | None:
        return None if files.get(name) is None else json.dumps(files[name]).encode()

    return pooling_files.vectors(content, config, ask)


def test_a_model_of_sentence_transformers() -> None:
    found = read()
    assert (found.method, found.normalized, found.width, found.max_length) == (
        "mean",
        True,
        384,
        256,
    )
    assert pooling.line(found.to_json()) == (
        "384 numbers (config.json); the mean of all tokens (1_Pooling/config.json); of length 1 "
        "(modules.json); texts of 256 tokens at most (sentence_bert_config.json)"
    )


@pytest.mark.parametrize(
    ("table", "method"),
    [
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": ["lasttoken"]}, "last"),
    ],
)
def test_each_way_of_pooling(table: dict[str, Any], method: str) -> None:
    assert read({POOLING: table}).method == method


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "pools by mean_sqrt_len_tokens"),
        ({"pooling_mode_weightedmean_tokens": True}, "pools by weightedmean_tokens"),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "pools by cls_token, mean_tokens",
        ),
        ({}, "pools by none"),
        (None, "which is not there"),
    ],
)
def test_other_ways_are_refused(table: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read({POOLING: table})


def test_without_a_last_step_vectors_have_any_length() -> None:
    assert not read({"modules.json": [TRANSFORMER, POOL]}).normalized
    found = read({"modules.json": [TRANSFORMER, POOL]}, Ask("embed", normalize=True))
    assert found.normalized
    assert found.sources["normalized"] == "--normalize or --no-normalize"


def test_a_dense_step_sets_the_width() -> None:
    files = {
        "modules.json": [TRANSFORMER, POOL, step("Dense", "2_Dense"), NORMALIZE],
        "2_Dense/config.json": {"in_features": 384, "out_features": 128},
    }
    assert read(files).width == 128


@pytest.mark.parametrize("steps", [[POOL], [TRANSFORMER, POOL, step("LayerNorm")], [TRANSFORMER]])
def test_steps_that_would_be_left_out_are_refused(steps: list[Any]) -> None:
    with pytest.raises(UsageError, match=r"modules.json has the steps"):
        read({"modules.json": steps})


def test_a_job_may_not_contradict_the_files() -> None:
    with pytest.raises(UsageError, match=r"--pooling last: the model's 1_Pooling/config.json"):
        read(ask=Ask("embed", pooling="last"))
    assert read(ask=Ask("embed", pooling="mean")).sources["method"] == POOLING


def test_dimensions_are_those_that_the_model_declares() -> None:
    ask = Ask("embed", dimensions=64)
    with pytest.raises(UsageError, match="--dimensions 64"):
        read(ask=ask)
    assert read(ask=ask, config=CONFIG | {"is_matryoshka": True}).width == 64
    with pytest.raises(UsageError, match="the model has 128, 256"):
        read(ask=ask, config=CONFIG | {"matryoshka_dimensions": [128, 256]})
    with pytest.raises(UsageError, match="have 384 numbers"):
        read(ask=Ask("embed", dimensions=999), config=CONFIG | {"is_matryoshka": True})


PROMPTS = {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"}
PROMPT_FILE = {"config_sentence_transformers.json": PROMPTS}


def test_prefixes_are_the_models_own() -> None:
    assert read(PROMPT_FILE).prefixes == {"text": "query: "}
    assert read(PROMPT_FILE, Ask("embed", prompt_name="none")).prefixes == {}
    assert read(PROMPT_FILE, Ask("embed", prompt_name="document")).prefixes == {}
    assert read(PROMPT_FILE, Ask("score")).prefixes == {"query": "query: "}
    with pytest.raises(UsageError, match=r"did you mean 'query'"):
        read(PROMPT_FILE, Ask("embed", prompt_name="querry"))


def test_a_prefix_that_would_be_in_the_vector_against_the_files_is_refused() -> None:
    files = PROMPT_FILE | {POOLING: {"pooling_mode_mean_tokens": True, "include_prompt": False}}
    with pytest.raises(UsageError, match="include_prompt"):
        read(files)
    assert not read(files, Ask("embed", prompt_name="none")).prefixes


@pytest.mark.parametrize(
    ("config", "most", "source"),
    [
        ({"max_position_embeddings": 512}, 512, "config.json"),
        (
            {"max_position_embeddings": 512, "position_embedding_type": "absolute"},
            128,
            "tokenizer_config.json",
        ),
        ({"max_position_embeddings": 512, "rope_scaling": {"rope_type": "yarn"}}, None, None),
    ],
)
def test_the_longest_text_by_other_files(
    config: dict[str, Any], most: int | None, source: str | None
) -> None:
    files = {"tokenizer_config.json": b'{"model_max_length": 128}'}
    found = pooling_files.with_length(Pooling("raw"), config, files.get)
    assert found.max_length == most
    assert found.sources.get("max_length") == source
