"""The number of sequences for a device's memory (the rest of the defaults: see the engine's
description in test_engine.py)."""

import json
from pathlib import Path
from unittest import mock

import pytest

from llmbatch.engines.vllm import defaults
from llmbatch.sizing.memory import usual_sequences
from llmbatch.sizing.memory_advice import GIB

SMALL = {"num_hidden_layers": 28, "num_key_value_heads": 8, "head_dim": 128}
SMALL |= {"num_attention_heads": 16, "hidden_size": 1024, "vocab_size": 151_936}
TOKEN = 2 * 2 * 28 * 8 * 128


def test_what_the_cache_holds_decides_between_bounds() -> None:
    between = usual_sequences(40 * GIB, 2 * GIB, TOKEN)
    assert between == (int(40 * GIB * 0.92) - 5 * GIB) // (TOKEN * 512)
    assert usual_sequences(16 * GIB, 14 * GIB, TOKEN) == 256
    assert usual_sequences(66 * GIB, GIB, TOKEN // 8) == 1024


def test_a_model_of_another_kind_is_left_to_vllm(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert defaults._sequences_by_memory(tmp_path, 24 * GIB, {}) == {}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba2", **SMALL}))
    assert defaults._sequences_by_memory(tmp_path, 24 * GIB, {}) == {}


def test_weights_are_divided_among_devices(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(14 * GIB)  # a hole: it takes no room
    alone = defaults._sequences_by_memory(tmp_path, 24 * GIB, {})
    four = defaults._sequences_by_memory(tmp_path, 24 * GIB, {"tensor_parallel_size": 4})
    assert alone == {"max_num_seqs": 256}
    assert four == {"max_num_seqs": 1024}
    assert defaults._sequences_by_memory(tmp_path, 24 * GIB, {"kv_cache_memory_bytes": 1}) == {}


def test_what_plan_may_assume_is_what_is_started() -> None:
    before = defaults.settings_before_start({"max_num_seqs": 64, "max_model_len": None})
    chosen = defaults.with_defaults({"max_num_seqs": 64}, None)
    assert before.block_size == chosen["block_size"]
    assert before.max_num_seqs == 64
    assert before.max_model_len is None


@pytest.mark.skipif(not defaults.is_cpu_build(), reason="vLLM's CPU build is not installed")
@pytest.mark.parametrize(
    ("options", "environment", "cache"),
    [
        ({"kv_cache_memory_bytes": 5}, "3", 5),
        ({}, "3", 3 * GIB),
        ({"gpu_memory_utilization": 0.4}, "", None),
    ],
)
def test_the_size_of_the_cache_is_known_before_a_start(
    options: dict[str, float], environment: str, cache: int | None
) -> None:
    with mock.patch.dict("os.environ", {"VLLM_CPU_KVCACHE_SPACE": environment}):
        assert defaults.settings_before_start(options).kv_cache_memory_bytes == cache
