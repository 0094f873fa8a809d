"""Starting vLLM: the environment, the engine, and what was started."""

import contextlib
import dataclasses
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from llmbatch.engines.base import KnowsModel
from llmbatch.engines.vllm import defaults, processes
from llmbatch.sizing import cpu

T = TypeVar("T")


def build(
    model: str,
    options: Mapping[str, Any],
    *,
    local: bool,
    scratch: str,
    within: AbstractContextManager[None],
    stat_loggers: list[Any],
) -> Any:
    """A running LLMEngine, started `within` a context. `scratch`: the folder of its temporary
    files; `stat_loggers` get the figures of each step where vLLM's own
    `step` is used. Exceptions of vLLM pass through."""
    set_environment(local=local)
    # It keeps for ever the temporary folder that it finds when it is imported.
    import vllm.model_executor.model_loader.weight_utils  # noqa: F401
    from vllm.config import PoolerConfig, StructuredOutputsConfig
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    chosen = dict(defaults.with_defaults(options, Path(model) if local else None))
    structured = chosen.get("structured_outputs_config")
    if isinstance(structured, Mapping):
        # vLLM writes its reasoning parser into it, which it can do to no table.
        chosen["structured_outputs_config"] = StructuredOutputsConfig(**structured)
    if isinstance(pooler := chosen.get("pooler_config"), Mapping):
        chosen["pooler_config"] = PoolerConfig(**pooler)
    arguments = EngineArgs(model=model, **chosen)
    config = arguments.create_engine_config(UsageContext.LLM_CLASS)
    # Not in the configuration itself: vLLM makes that of a draft model by its fields.
    config.device_config.llmbatch_child_setup = processes.ChildSetup(scratch)
    with within:
        return LLMEngine.from_vllm_config(
            config,
            usage_context=UsageContext.LLM_CLASS,
            stat_loggers=stat_loggers,
            disable_log_stats=arguments.disable_log_stats,
        )


def set_environment(*, local: bool) -> None:
    """Set what vLLM takes from the environment only. The user's own settings win."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if local:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Not a choice: a forked child would hold our locks and files after our death.
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"


def description(engine: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Version, model and settings of a started engine, as JSON values."""
    import torch
    import vllm

    config = engine.vllm_config
    model, parallel = config.model_config, config.parallel_config
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
        "max_model_len": model.max_model_len,
        "enforce_eager": bool(model.enforce_eager),
        **_scheduling(config.scheduler_config),
        **_cache(config.cache_config),
        "options": {name: _json_value(value) for name, value in sorted(options.items())},
    }


def sizes(engine: KnowsModel) -> dict[str, Any]:
    """Device, model sizes and bytes of the weights, as JSON values; each is None where it cannot be
    found out, which is no reason to fail."""

    device, shape = _or_none(engine.device), _or_none(engine.shape)
    return {
        "hardware": dataclasses.asdict(device) if device else None,
        "shape": dataclasses.asdict(shape) if shape else None,
        "weight_bytes": _or_none(engine.weight_bytes),
    }


def _or_none(read: Callable[[], T]) -> T | None:
    with contextlib.suppress(Exception):
        return read()
    return None


def _scheduling(scheduler: Any) -> dict[str, Any]:
    return {
        "max_num_seqs": scheduler.max_num_seqs,
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "chunked_prefill": bool(scheduler.enable_chunked_prefill),
        "async_scheduling": bool(scheduler.async_scheduling),
        "scheduling_policy": str(scheduler.policy),
        "watermark": getattr(scheduler, "watermark", None),  # vLLM has it since lately
    }


def _cache(cache: Any) -> dict[str, Any]:
    blocks, block_size = cache.num_gpu_blocks or 0, cache.block_size
    by_bytes = cache.kv_cache_memory_bytes is not None
    return {
        "prefix_caching": bool(cache.enable_prefix_caching),
        "block_size": block_size,
        "kv_cache_blocks": blocks,
        "kv_cache_tokens": getattr(cache, "kv_cache_size_tokens", None) or blocks * block_size,
        "kv_cache_dtype": str(cache.cache_dtype),
        # One of the two decides how large the cache is.
        "kv_cache_memory_bytes": cache.kv_cache_memory_bytes,
        "gpu_memory_utilization": None if by_bytes else cache.gpu_memory_utilization,
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
        return f"{cpu.name()}, {len(os.sched_getaffinity(0))} cores"
    name = current_platform.get_device_name()
    return f"{count} x {name}" if torch.cuda.is_available() else name
