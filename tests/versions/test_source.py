"""The names, fields and signatures of vLLM that we use, held against its source.

Of the vLLM that is installed, or of the one whose source lies in the folder that
LLMBATCH_VLLM_SOURCE names: so a version that does not run here can be looked at, too.
"""

import ast
import os
from pathlib import Path

import pytest

from llmbatch.engines.vllm import options, versions, ways
from tests.versions.source import Source, takes

GIVEN = os.environ.get("LLMBATCH_VLLM_SOURCE")

OWNERS = {
    "": ["vllm.v1.engine.llm_engine.LLMEngine"],
    "input_processor": ["vllm.v1.engine.input_processor.InputProcessor"],
    "output_processor": ["vllm.v1.engine.output_processor.OutputProcessor"],
    "engine_core": [
        "vllm.v1.engine.core_client.SyncMPClient",
        "vllm.v1.engine.core_client.InprocClient",
    ],
}
"""The classes behind an LLMEngine's parts."""

CALLS = {
    "vllm.v1.engine.llm_engine.LLMEngine.add_request": (3, ()),
    "vllm.v1.engine.llm_engine.LLMEngine.step": (0, ()),
    "vllm.v1.engine.llm_engine.LLMEngine.from_vllm_config": (
        1, ("usage_context", "stat_loggers", "disable_log_stats"),
    ),
    "vllm.v1.metrics.loggers.StatLoggerManager.record": (2, ("mm_cache_stats",)),
    "vllm.engine.arg_utils.EngineArgs.create_engine_config": (1, ()),
}  # fmt: skip
"""Calls of the public way, and of every start."""

FIELDS = {
    "vllm.outputs.RequestOutput": (
        "request_id", "prompt_token_ids", "outputs", "finished", "num_cached_tokens",
    ),
    "vllm.outputs.CompletionOutput": ("token_ids", "text", "finish_reason"),
    "vllm.sampling_params.SamplingParams": (
        "temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "stop",
        "repetition_penalty", "presence_penalty", "frequency_penalty", "structured_outputs",
        "output_kind", "detokenize", "skip_clone", "repetition_detection",
    ),
    "vllm.sampling_params.RepetitionDetectionParams": (
        "max_pattern_size", "min_pattern_size", "min_count",
    ),
    "vllm.sampling_params.StructuredOutputsParams": ("json", "regex", "choice"),
    "vllm.v1.metrics.stats.IterationStats": (
        "num_generation_tokens", "time_to_first_tokens_iter", "prompt_token_stats",
    ),
    "vllm.v1.metrics.stats.PromptTokenStats": ("computed",),
    "vllm.v1.engine.core_client.SyncMPClient": ("outputs_queue",),
    "vllm.v1.engine.core_client.MPClient": ("resources", "_finalizer"),
    "vllm.v1.engine.core_client.BackgroundResources": ("engine_manager", "engine_dead"),
    "vllm.config.model.ModelConfig": (
        "model", "revision", "dtype", "quantization", "max_model_len", "enforce_eager",
    ),
    "vllm.config.scheduler.SchedulerConfig": (
        "max_num_seqs", "max_num_batched_tokens", "enable_chunked_prefill", "async_scheduling",
        "policy",
    ),
    "vllm.config.cache.CacheConfig": (
        "num_gpu_blocks", "block_size", "enable_prefix_caching", "cache_dtype",
        "kv_cache_memory_bytes", "gpu_memory_utilization",
    ),
}  # fmt: skip
"""Fields of both ways, and of what we tell of a started engine."""


def _folder() -> Path | None:
    if GIVEN:
        return Path(GIVEN)
    installed = versions.source()
    return installed.parent if installed is not None else None


FOLDER = _folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="there is no source of vLLM")


@pytest.fixture(scope="module")
def source() -> Source:
    assert FOLDER is not None
    return Source(FOLDER)


@pytest.mark.parametrize("call", ways.CALLS)
def test_calls_of_the_short_way(source: Source, call: str) -> None:
    part, _, method = call.rpartition(".")
    for owner in OWNERS[part]:
        assert takes(source.method(owner, method), *ways.CALLS[call]), owner


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_the_public_way(source: Source, call: str) -> None:
    owner, _, method = call.rpartition(".")
    assert takes(source.method(owner, method), *CALLS[call])


@pytest.mark.parametrize("name", [*ways.FIELDS, *FIELDS])
def test_fields(source: Source, name: str) -> None:
    wanted = {**ways.FIELDS, **FIELDS}[name]
    assert set(wanted) <= source.fields(name)


def test_finish_reasons(source: Source) -> None:
    """By their names: an answer is one that ended with `stop` or `length`."""
    (said,) = (
        ast.literal_eval(line.value)
        for line in source.module("vllm.v1.engine").body
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "FINISH_REASON_STRINGS"
    )
    assert said[:4] == ("stop", "length", "abort", "error")


def test_each_option_is_declared(source: Source) -> None:
    """Each option was decided on: it can change an answer, or it cannot."""
    node = source.of_class("vllm.engine.arg_utils.EngineArgs")
    declared = options.NEUTRAL_OPTIONS | options.ANSWER_OPTIONS
    assert options.fields_of(node).keys() <= declared


def test_a_call_that_does_not_fit_is_noticed(source: Source) -> None:
    step = source.method("vllm.v1.engine.llm_engine.LLMEngine", "add_request")
    assert not takes(step, 2, ())
    assert not takes(step, 3, ("no_such_argument",))
    with pytest.raises(LookupError):
        source.method("vllm.v1.engine.llm_engine.LLMEngine", "no_such_call")
