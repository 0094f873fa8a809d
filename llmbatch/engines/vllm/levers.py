"""The options of vLLM that are worth trying for speed, and their values."""

from typing import Any

from llmbatch.engines.info import EngineInfo

_CPU_BLOCK_SIZES = (32, 64, 128)
# vLLM's own default is 0.92; beyond this too little is left for what allocates beside it.
_MEMORY = 0.95


def alternatives(info: EngineInfo, requests: int, *, on_cpu: bool) -> dict[str, list[Any]]:
    """Values other than the present ones, by option, the most promising option first.

    `info` is of the started engine; more than `requests` cannot be in flight at once. Every option
    here is one of `options.NEUTRAL_OPTIONS`.
    """
    values: dict[str, list[Any]] = {
        "enforce_eager": [False] if info.enforce_eager else [],
        "max_num_seqs": _sequences(info.max_num_seqs or 0, requests),
        "max_num_batched_tokens": _batched_tokens(info),
        "block_size": _block_sizes(info) if on_cpu else [],
        "gpu_memory_utilization": [] if on_cpu else _memory(info.gpu_memory_utilization),
        "async_scheduling": [not info.settings["async_scheduling"]],
    }
    return {name: tried for name, tried in values.items() if tried}


def alternatives_here(info: EngineInfo, requests: int) -> dict[str, list[Any]]:
    """The same for the installed vLLM."""
    from vllm.platforms import current_platform

    return alternatives(info, requests, on_cpu=current_platform.is_cpu())


def _sequences(present: int, requests: int) -> list[int]:
    """Two and four times as many and half as many, where that makes a difference."""
    at_once = {min(present, requests)}
    values = []
    for value in (2 * present, 4 * present, present // 2):
        if value > 0 and min(value, requests) not in at_once:
            at_once.add(min(value, requests))
            values.append(value)
    return values


def _batched_tokens(info: EngineInfo) -> list[int]:
    if not info.settings["chunked_prefill"]:
        # On a CPU naming a size turns chunks on, and then no seeds are taken: nor those of second
        # tries, which a sample does not have.
        return []
    present, least = info.max_num_batched_tokens or 0, info.max_num_seqs or 0
    return [value for value in (2 * present, present // 2) if value >= least]


def _block_sizes(info: EngineInfo) -> list[int]:
    return [size for size in _CPU_BLOCK_SIZES if size != info.block_size]


def _memory(present: float | None) -> list[float]:
    """A larger cache, unless its size is given in bytes."""
    return [_MEMORY] if present is not None and present < _MEMORY else []
