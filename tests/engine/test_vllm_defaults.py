"""The number of sequences for a device's memory (the rest of the defaults: see the engine's
description in test_vllm_engine.py)."""

import json
from pathlib import Path

import pytest

from llmbatch.engines import vllm_defaults
from llmbatch.engines.vllm_defaults import GIB

SMALL = {"num_hidden_layers": 28, "num_key_value_heads": 8, "head_dim": 128}
SMALL |= {"num_attention_heads": 16, "hidden_size": 1024}


def test_a_token_takes_keys_and_values_of_each_layer() -> None:
    assert vllm_defaults.token_bytes(SMALL) == 2 * 2 * 28 * 8 * 128
    whole_heads = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}
    assert vllm_defaults.token_bytes(whole_heads) == 2 * 2 * 2 * 64


@pytest.mark.parametrize("config", [{}, {"num_hidden_layers": 2}, SMALL | {"kv_lora_rank": 512}])
def test_a_model_of_another_kind_is_left_to_vllm(config: dict[str, int]) -> None:
    assert vllm_defaults.token_bytes(config) == 0


def test_what_the_cache_holds_decides_between_bounds() -> None:
    token = vllm_defaults.token_bytes(SMALL)
    between = vllm_defaults.sequences(40 * GIB, 2 * GIB, token)
    assert between == (int(40 * GIB * 0.92) - 5 * GIB) // (token * 512)
    assert vllm_defaults.sequences(16 * GIB, 14 * GIB, token) == 256
    assert vllm_defaults.sequences(66 * GIB, GIB, token // 8) == 1024


def test_weights_are_divided_among_devices(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(14 * GIB)  # a hole: it takes no room
    alone = vllm_defaults._sequences_by_memory(tmp_path, 24 * GIB, {})
    four = vllm_defaults._sequences_by_memory(tmp_path, 24 * GIB, {"tensor_parallel_size": 4})
    assert alone == {"max_num_seqs": 256}
    assert four == {"max_num_seqs": 1024}
    assert (
        vllm_defaults._sequences_by_memory(tmp_path, 24 * GIB, {"kv_cache_memory_bytes": 1}) == {}
    )


def test_what_plan_may_assume_is_what_is_started() -> None:
    before = vllm_defaults.foreseen({"max_num_seqs": 64, "dtype": None})
    chosen = vllm_defaults.with_defaults({"max_num_seqs": 64}, None)
    assert before["block_size"] == chosen["block_size"]
    assert before["max_num_seqs"] == 64
    assert "dtype" not in before
