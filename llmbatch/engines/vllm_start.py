"""Starting vLLM: the defaults of a batch job, the environment, and what was started."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines import vllm_process, vllm_scratch

GIB = 1 << 30
CPU_BLOCK_SIZE = 32


def build(
    model: str, options: Mapping[str, Any], *, local: bool, scratch: vllm_scratch.Scratch
) -> Any:
    """A running LLMEngine. Whatever vLLM raises is left to the caller."""
    set_environment(local=local)
    # It keeps for ever the temporary folder that it finds when it is imported.
    import vllm.model_executor.model_loader.weight_utils  # noqa: F401
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    arguments = EngineArgs(model=model, **with_defaults(options))
    config = arguments.create_engine_config(UsageContext.LLM_CLASS)
    config.llmbatch_child_setup = vllm_process.ChildSetup(str(scratch.path))
    with scratch.used():
        return LLMEngine.from_vllm_config(
            config,
            usage_context=UsageContext.LLM_CLASS,
            disable_log_stats=arguments.disable_log_stats,
        )


def set_environment(*, local: bool) -> None:
    """What vLLM only takes from the environment. The user's own settings win."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if local:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Not a choice: a forked child would hold our locks and files after our death.
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """The user's options, and what a batch job wants where the user did not say."""
    from vllm.platforms import current_platform

    defaults: dict[str, Any] = {"enable_prefix_caching": True}
    # One backend for the whole run: mixed ones clash inside vLLM.
    defaults["structured_outputs_config"] = {"backend": "xgrammar"}
    if current_platform.is_cpu():
        defaults |= _cpu_defaults(options)
    chosen = defaults | {name: value for name, value in options.items() if value is not None}
    structured = chosen["structured_outputs_config"]
    if isinstance(structured, dict):
        chosen["structured_outputs_config"] = {"backend": "xgrammar"} | structured
    return chosen


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


def description(engine: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """What was started, as JSON values."""
    import torch
    import vllm

    config = engine.vllm_config
    cache, model, scheduler = config.cache_config, config.model_config, config.scheduler_config
    blocks, block_size = cache.num_gpu_blocks or 0, cache.block_size
    parallel = config.parallel_config
    return {
        "engine": "vllm",
        "version": vllm.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": _device(parallel.world_size),
        "dtype": str(model.dtype).removeprefix("torch."),
        "model": model.model,
        "revision": model.revision,
        "quantization": model.quantization,
        "parallelism": {
            "tensor": parallel.tensor_parallel_size,
            "pipeline": parallel.pipeline_parallel_size,
        },
        "max_num_seqs": scheduler.max_num_seqs,
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "max_model_len": model.max_model_len,
        "chunked_prefill": bool(scheduler.enable_chunked_prefill),
        "prefix_caching": bool(cache.enable_prefix_caching),
        "block_size": block_size,
        "kv_cache_blocks": blocks,
        "kv_cache_tokens": getattr(cache, "kv_cache_size_tokens", None) or blocks * block_size,
        "kv_cache_dtype": str(cache.cache_dtype),
        "options": {name: _json_value(value) for name, value in sorted(options.items())},
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_value(inner) for inner in value]
    return str(value)


def _device(count: int) -> str:
    import torch
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        return f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores"
    name = current_platform.get_device_name()
    return f"{count} x {name}" if torch.cuda.is_available() else name


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
