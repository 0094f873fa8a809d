"""The parts of vLLM that the short way rests on, by name, and the choice of a way.

The tables are compared with a running engine at each start, and in the tests against the source
of versions that do not run here.
"""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.engines.vllm import versions
from llmbatch.engines.vllm.core_channel import CoreChannel
from llmbatch.engines.vllm.public_way import PublicWay, StepStats
from llmbatch.engines.vllm.short_way import ShortWay

CALLS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "input_processor.process_inputs": (3, ("supported_tasks",)),
    "input_processor.assign_request_id": (1, ()),
    "output_processor.add_request": (2, ()),
    "output_processor.process_outputs": (3, ()),
    "engine_core.add_request": (1, ()),
    "engine_core.get_output": (0, ()),
    "engine_core.abort_requests": (1, ()),
    "get_supported_tasks": (0, ()),
    "abort_request": (1, ()),
    "get_tokenizer": (0, ()),
}
"""Calls of an LLMEngine: the number of positional arguments, and the names of others."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "vllm.v1.engine.EngineCoreRequest": (
        "request_id", "external_req_id", "prompt_token_ids", "sampling_params", "arrival_time",
        "pooling_params", "lora_request",
    ),
    "vllm.v1.engine.EngineCoreOutput": (
        "request_id", "new_token_ids", "finish_reason", "events", "prefill_stats",
        "pooling_output",
        "new_logprobs",
    ),
    "vllm.v1.engine.EngineCoreEvent": ("timestamp",),
    "vllm.v1.engine.EngineCoreOutputs": ("outputs", "scheduler_stats", "timestamp"),
    "vllm.v1.metrics.stats.PrefillStats": ("num_computed_tokens", "num_cached_tokens"),
    "vllm.v1.metrics.stats.SchedulerStats": (
        "num_running_reqs", "num_waiting_reqs", "num_skipped_waiting_reqs", "kv_cache_usage",
        "prefix_cache_stats",
    ),
    "vllm.v1.metrics.stats.PrefixCacheStats": (
        "preempted_requests", "preempted_queries", "preempted_hits",
    ),
}  # fmt: skip
"""Fields of vLLM's messages, by class."""


def choose(engine: Any, stats: StepStats) -> tuple[CoreChannel, str | None]:
    """The way to a started LLMEngine; where it is not the short one, also the reason."""
    reason = _against_the_short_way(engine)
    if reason is None:
        return ShortWay(engine), None
    return PublicWay(engine, stats), reason


def _against_the_short_way(engine: Any) -> str | None:
    if versions.is_newer():
        return f"vLLM {versions.installed()} is newer than what was tested"
    if getattr(engine.vllm_config, "watermark_config", None) is not None:
        return "watermarks are made in vLLM's front end"
    missing = next(_missing(engine), None)
    return None if missing is None else f"this vLLM has no {missing}"


def _missing(engine: Any) -> Iterator[str]:
    for name, (by_place, by_name) in CALLS.items():
        if not _takes(engine, name, by_place, by_name):
            yield name
    for name, fields in FIELDS.items():
        known = _fields(name)
        yield from (f"{name}.{field}" for field in fields if field not in known)


def _takes(engine: Any, name: str, by_place: int, by_name: tuple[str, ...]) -> bool:
    found = engine
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        return False
    try:
        inspect.signature(found).bind(*range(by_place), **dict.fromkeys(by_name))
    except TypeError:
        return False
    return True


def _fields(name: str) -> set[str]:
    """The fields of a message or a dataclass of vLLM; none where there is no such class."""
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute, None)
    known = getattr(found, "__struct_fields__", ()) or getattr(found, "__dataclass_fields__", ())
    return set(known)
