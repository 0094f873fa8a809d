"""Models that fit a device, and the advice for those that do not."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.sizing import memory
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.memory import Memory
from llmbatch.sizing.memory_advice import GIB
from llmbatch.sizing.model_config import shape_of
from llmbatch.sizing.settings import EngineSettings
from tests.engines.vllm.public_configs import CONFIGS

H200 = Device("H200", "gpu", 1, 140 * GIB, 989e12, 4.8e12, "x")
L4 = Device("L4", "gpu", 1, 24 * GIB, 121e12, 3e11, "x")
CPU = Device("CPU", "cpu", 1, 24 * GIB, 1e12, 2e10, "x")


def known(name: str) -> Shape:
    shape = shape_of(CONFIGS[name])
    assert shape is not None
    return shape


def fit(name: str, device: Device, mean: float = 900, longest: int = 2100, **more: Any) -> Memory:
    told = EngineSettings.from_json(more.pop("known", None))
    settings = EngineSettings.from_options(more.pop("options", {})).updated(told)
    return memory.fit(
        known(name), device, settings=settings, tokens_mean=mean, tokens_longest=longest, **more
    )


def option(advice: list[str]) -> dict[str, int]:
    """The engine arguments that the lines of advice name, with whole numbers."""
    found = (re.search(r"--engine-arg (\w+)=(\d+)", line) for line in advice)
    return {match[1]: int(match[2]) for match in found if match}


def test_what_is_left_beside_the_weights_is_the_cache() -> None:
    found = fit("Llama 3.1 8B", H200)
    usable = int(140 * GIB * 0.92)
    assert found.usable_bytes == usable
    assert found.cache_bytes == usable - found.weight_bytes - 3 * GIB
    assert found.token_bytes == 131072
    assert found.cache_tokens == found.cache_bytes // 131072
    assert found.batch_mean == found.cache_bytes // (57 * 16 * 131072)  # whole blocks
    assert found.batch_longest == found.cache_bytes // (132 * 16 * 131072)
    assert (found.fits, found.measured, found.max_num_seqs) == (True, False, 1024)
    assert found.batch == found.batch_mean < 1024


def test_options_say_how_much_and_how_many() -> None:
    asked = {"gpu_memory_utilization": 0.5, "max_num_seqs": 32, "kv_cache_dtype": "fp8"}
    found = fit("Llama 3.1 8B", H200, options=asked)
    assert found.usable_bytes == 70 * GIB
    assert found.token_bytes == 65536
    assert (found.batch, found.max_num_seqs) == (32, 32)
    assert option(found.advice)["max_num_seqs"] == 512  # the largest power of two that fits
    fixed = fit("Llama 3.1 8B", L4, options={"kv_cache_memory_bytes": GIB, "max_model_len": 4096})
    assert fixed.cache_bytes == GIB
    blocks = {"num_gpu_blocks_override": 500, "block_size": 32, "max_model_len": 4096}
    assert fit("Llama 3.1 8B", L4, options=blocks).cache_tokens == 16_000


def test_files_are_believed_more_than_the_formula() -> None:
    found = fit("Llama 3.1 8B", H200, weight_bytes=20 * GIB)
    assert found.weight_bytes == 20 * GIB


def test_an_engine_is_believed_most() -> None:
    told = {"kv_cache_tokens": 50_000, "max_num_seqs": 77, "max_model_len": 4096}
    found = fit("Llama 3.1 8B", L4, known=told)
    assert (found.cache_tokens, found.max_num_seqs, found.measured) == (50_000, 77, True)
    assert found.fits
    # It tells tokens of sequences of the greatest length, most of which a window forgets: 22 of 26
    # layers, kept like 24, hold 512 tokens and those of a step.
    gemma = fit("Gemma 3 1B", L4, known=told | {"max_num_batched_tokens": 512})
    assert gemma.cache_tokens == 50_000
    assert gemma.cache_bytes == pytest.approx(50_000 * (24 / 4 + 4) / 26 * gemma.token_bytes)


def test_a_model_that_is_too_long_for_the_cache_gets_the_length_that_is_needed() -> None:
    found = fit("Llama 3.1 8B", L4)
    assert not found.fits
    assert option(found.advice) == {"max_model_len": 2176}
    again = fit("Llama 3.1 8B", L4, options=option(found.advice))
    assert again.fits
    assert again.batch_longest >= 1


def test_a_model_that_is_too_heavy_gets_more_devices_or_fewer_bits() -> None:
    found = fit("Llama 3.1 70B", H200)
    assert not found.fits
    assert found.cache_tokens == found.batch == 0
    assert "65.7 GiB with 8 bits" in " ".join(found.advice)
    assert option(found.advice) == {"tensor_parallel_size": 2}
    two = Device("H200", "gpu", 2, 140 * GIB, 989e12, 4.8e12, "x")
    assert fit("Llama 3.1 70B", two, options=option(found.advice)).fits
    on_cpu = fit("Llama 3.1 70B", CPU)
    assert not on_cpu.fits
    assert not option(on_cpu.advice)


def test_a_request_that_is_too_long_asks_for_a_larger_cache() -> None:
    found = fit("Llama 3.1 8B", CPU, longest=60_000)
    assert not found.fits
    assert "shorten it" in found.advice[0]
    asked = option(found.advice)["kv_cache_memory_bytes"]
    options = {"kv_cache_memory_bytes": asked, "max_model_len": 60_000}
    assert asked > 3 * GIB
    found = fit("Qwen3 0.6B", CPU, longest=30_000, options={"kv_cache_memory_bytes": GIB})
    options["kv_cache_memory_bytes"] = option(found.advice)["kv_cache_memory_bytes"]
    options["max_model_len"] = 30_000
    assert fit("Qwen3 0.6B", CPU, longest=30_000, options=options).fits


def test_a_small_batch_is_pointed_out_while_weights_are_most_of_the_reading() -> None:
    found = fit("Qwen2.5 7B", L4)
    assert found.fits
    assert "100 requests" in found.advice[0]
    assert any("kv_cache_dtype=fp8" in line for line in found.advice)
    assert fit("Llama 3.1 8B", H200).advice == []


def test_heads_are_not_divided_among_more_devices_than_there_are() -> None:
    def token(name: str, devices: int) -> int:
        device = Device("H200", "gpu", devices, 140 * GIB, 989e12, 4.8e12, "x")
        return fit(name, device, options={"tensor_parallel_size": devices}).token_bytes

    assert token("Llama 3.1 8B", 8) == 131072
    assert token("Qwen2.5 7B", 7) == 57344 * 7 / 4
    assert token("DeepSeek V2 Lite", 2) == 2 * 31104  # each keeps the whole latent vector


def test_how_many_run_at_once_follows_the_device() -> None:
    a100 = Device("NVIDIA A100-SXM4-80GB", "gpu", 1, 80 * GIB, 312e12, 2e12, "x")
    assert fit("Qwen3 0.6B", CPU).max_num_seqs == 256
    assert fit("Qwen3 0.6B", H200).max_num_seqs == 1024
    assert fit("Llama 3.1 8B", L4).max_num_seqs == 256
    token, weights = known("Qwen2.5 7B").token_bytes(), known("Qwen2.5 7B").weight_bytes
    usual = memory.usual_sequences(80 * GIB, weights, token)
    assert fit("Qwen2.5 7B", a100).max_num_seqs == usual == 1024
    assert 256 < fit("Qwen3 0.6B", L4).max_num_seqs < 1024


@given(
    name=st.sampled_from(sorted(CONFIGS)),
    gibibytes=st.integers(1, 300),
    count=st.sampled_from([1, 2, 4, 8]),
    kind=st.sampled_from(["gpu", "cpu"]),
    longest=st.integers(1, 50_000),
    share=st.floats(0.01, 1),
)
def test_the_figures_agree_for_any_request(
    name: str, gibibytes: int, count: int, kind: str, longest: int, share: float
) -> None:
    device = Device("x", kind, 1 if kind == "cpu" else count, gibibytes * GIB, 1e12, 1e11, "x")
    found = fit(name, device, mean=max(1.0, longest * share), longest=longest)
    assert found.batch_longest <= found.batch_mean
    assert found.batch == min(found.batch_mean, found.max_num_seqs)
    assert found.fits <= (found.weight_bytes + found.cache_bytes <= found.usable_bytes)
    assert found.fits <= (found.batch_longest >= 1)
    assert found.fits or found.advice
    length = option(found.advice).get("max_model_len")
    if length is not None and not found.fits:  # the advice is worth following
        options = {"max_model_len": length}
        assert fit(name, device, mean=1, longest=longest, options=options).fits
