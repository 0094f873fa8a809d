"""vLLM's engine options: which exist, and which of them can change an answer.

The installed vLLM is asked which options it has by reading its source, because importing it
takes seconds. Every option is declared in one of the two sets below; a test fails when the
installed vLLM has one that is not. Until somebody has looked, an undeclared option counts as
answer-affecting: computing an answer again is better than serving a wrong one.
"""

import ast
import functools
import json
from collections.abc import Mapping
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.option_name import plain_name
from llmbatch.engines import model_files
from llmbatch.engines.vllm import option_values, versions

_NEUTRAL = """
    _api_process_count _api_process_rank aggregate_engine_logging all2all_backend
    allowed_local_media_path allowed_media_domains async_scheduling block_size
    collect_detailed_traces compilation_config cp_kv_cache_interleave_size
    cpu_distributed_timeout_seconds cpu_offload_gb cpu_offload_params
    cudagraph_capture_sizes cudagraph_metrics custom_histogram_buckets data_parallel_address
    data_parallel_backend data_parallel_external_lb data_parallel_hybrid_lb
    data_parallel_multi_port_external_lb data_parallel_rank data_parallel_rpc_port
    data_parallel_size data_parallel_size_local data_parallel_start_rank
    dbo_decode_token_threshold dbo_prefill_token_threshold dcp_comm_backend
    dcp_kv_cache_interleave_size decode_context_parallel_size device_ids
    disable_cascade_attn disable_chunked_mm_input disable_custom_all_reduce
    disable_hybrid_kv_cache_manager disable_log_stats disable_nccl_for_dp_synchronization
    distributed_executor_backend distributed_timeout_seconds download_dir dp_sync_interval
    elastic_ep_max_dp_size enable_batch_sharded_sampling enable_chunked_prefill
    enable_cumem_allocator enable_dbo enable_elastic_ep enable_ep_weight_filter
    enable_fault_tolerance enable_flashinfer_autotune enable_hc_sp
    enable_layerwise_nvtx_tracing enable_logging_iteration_details enable_mfu_metrics
    enable_mm_processor_stats enable_nccl_comm_suspend enable_prefix_caching
    enable_shm_tensor_arena enable_sleep_mode enforce_eager fail_on_environ_validation
    fault_tolerance_config fully_sharded_loras gpu_memory_utilization hf_token
    jit_monitor_mode jit_monitor_verbose kv_cache_memory_bytes kv_cache_metrics
    kv_cache_metrics_sample kv_events_config kv_offloading_backend kv_offloading_size
    log_config_file log_level logging_config long_prefill_token_threshold
    long_prefill_token_threshold_adaptive mamba_block_size master_addr master_port
    max_cpu_loras max_cudagraph_capture_size max_logprobs max_long_partial_prefills
    max_model_len max_num_active_seqs max_num_batched_tokens max_num_partial_prefills
    max_num_queued_reqs max_num_queued_tokens max_num_scheduled_tokens max_num_seqs
    max_parallel_loading_workers mm_encoder_tp_mode mm_hasher_algorithm mm_ipc_gpu_memory_gb
    mm_processor_cache_gb mm_processor_cache_type mm_shm_cache_max_object_size_mb
    mm_tensor_ipc nnodes node_rank num_gpu_blocks_override numa_bind numa_bind_cpus
    numa_bind_nodes offload_backend offload_group_size offload_num_in_group offload_params
    offload_prefetch_step otlp_traces_endpoint per_request_spec_decode_metrics
    pipeline_parallel_size prefill_context_parallel_size prefill_schedule_interval
    prefix_cache_retention_interval prefix_caching_hash_algo prefix_match_unit
    profiler_config ray_workers_use_nsight renderer_num_workers safetensors_load_strategy
    safetensors_prefetch_block_size safetensors_prefetch_num_threads
    scheduler_reserve_full_isl scheduling_policy served_model_name
    show_hidden_metrics_for_version shutdown_timeout skip_mm_profiling sleep_mode_backend
    sleep_mode_offload_cudagraph sleep_preserve_parameter_names specialize_active_lora
    stream_interval tensor_parallel_size tokens_only ubatch_size use_tqdm_on_load
    watchdog_config watermark
"""
NEUTRAL_OPTIONS = frozenset(_NEUTRAL.split())
"""Options that change place and speed only: memory, parallelism, batching, compilation, logging."""

_ANSWER = """
    additional_config allow_deprecated_quantization attention_backend attention_config
    aux_output_config calculate_kv_scales code_revision config_format convert
    dcp_q_replicate default_mm_loras diffusion_config disable_sliding_window dtype
    ec_manager_config ec_transfer_config enable_bf16x3_router_gemm enable_eplb
    enable_expert_parallel enable_lora enable_mamba_cache_stochastic_rounding
    enable_mamba_fine_grained_prefix_cache enable_mamba_shared_prefix_checkpoint
    enable_mixed_moe_lora_format enable_mm_embeds enable_moe_shared_loras
    enable_prompt_embeds enable_return_routed_experts enable_tower_connector_lora
    enable_trace_replay engram_config eplb_config expert_placement_strategy
    gdn_prefill_backend generation_config hf_config_path hf_overrides ignore_patterns
    interleave_mm_strings io_processor_plugin ir_op_priority kda_decode_backend
    kda_prefill_backend kernel_config kv_cache_dtype kv_cache_dtype_skip_layers
    kv_sharing_fast_prefill kv_transfer_config language_model_only limit_mm_per_prompt
    linear_backend load_format logits_processors logprobs_mode lora_dtype
    lora_target_modules mamba_backend mamba_cache_dtype mamba_cache_mode
    mamba_cache_philox_rounds mamba_config mamba_ssm_cache_dtype mamba_ssu_algorithm
    max_lora_cls_labels max_lora_rank max_loras media_io_kwargs mm_device_do_normalize
    mm_encoder_attn_backend mm_encoder_attn_dtype mm_encoder_fp8_scale_path
    mm_encoder_fp8_scale_save_margin mm_encoder_fp8_scale_save_path mm_encoder_only
    mm_processor_device mm_processor_kwargs model model_class_overrides model_impl
    model_loader_extra_config model_weights moe_backend monokernel optimization_level
    override_attention_dtype override_generation_config performance_mode pooler_config
    pt_load_map_location quantization quantization_config reasoning_config reasoning_parser
    reasoning_parser_plugin replayssm_buffer_len return_sampling_mask revision runner
    scheduler_cls seed skip_tokenizer_init sparse_indexer_topk_backend spec_method
    spec_model spec_tokens speculative_config structured_outputs_config swa_bounded_replay
    tokenizer tokenizer_mode tokenizer_revision trust_remote_code use_fp64_gumbel
    use_replayssm video_pruning_method video_pruning_rate watermark_config
    weight_transfer_config worker_cls worker_extension_cls
"""
ANSWER_OPTIONS = frozenset(_ANSWER.split())
"""Options that change an answer, or may change it."""

_ONE_ENGINE = (
    "for more devices use --replicas N, engines that share the work, or tensor_parallel_size for a "
    "model that does not fit into one"
)
REFUSED_OPTIONS = {
    "model": "give the model by --model",
    "hf_token": "set HF_TOKEN in the environment, so that the token is written nowhere",
    "tokens_only": "the tokenizer is needed",
    "skip_tokenizer_init": "the tokenizer is needed",
    "runner": "it follows from --task",
    "convert": "it follows from --task",
    "_api_process_count": "it is vLLM's own",
    "_api_process_rank": "it is vLLM's own",
    **{name: _ONE_ENGINE for name in NEUTRAL_OPTIONS if name.startswith("data_parallel_")},
}
"""Options that we set ourselves, and why."""

# Options that may name a folder. Its contents count, not its path.
_FOLDER_OPTIONS = frozenset({"tokenizer", "hf_config_path", "generation_config", "model_weights"})

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def is_declared(written: str) -> bool:
    """True for the name of an option of any version that was looked at."""
    return plain_name(written) in NEUTRAL_OPTIONS | ANSWER_OPTIONS


def is_installed() -> bool:
    return versions.source() is not None


@functools.cache
def installed_fields() -> Mapping[str, str]:
    """The fields of the installed vLLM's EngineArgs with their types as written.

    Empty when vLLM is not installed. Nothing of vLLM is imported.
    """
    folder = versions.source()
    if folder is None:
        return {}
    text = (folder / "engine" / "arg_utils.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == "EngineArgs":
            return fields_of(node)
    return {}


def fields_of(node: ast.ClassDef) -> dict[str, str]:
    """The fields that a class declares, with their types as written."""
    return {
        line.target.id: ast.unparse(line.annotation)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def check(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options under vLLM's own names, with text values made the type that vLLM wants.

    Raises UsageError for an option that the installed vLLM does not have, that we set
    ourselves, or whose value cannot be read.
    """
    fields = installed_fields()
    # Without one, a plan still finds a name that no version has.
    known = fields or dict.fromkeys(NEUTRAL_OPTIONS | ANSWER_OPTIONS)
    checked: dict[str, Any] = {}
    for written, value in options.items():
        name = plain_name(written)
        if name not in known:
            raise UsageError(f"engine option {written!r}: vLLM has none{nearest(name, known)}")
        if name in REFUSED_OPTIONS:
            raise UsageError(f"engine option {written!r} cannot be set: {REFUSED_OPTIONS[name]}")
        if name in checked:
            raise UsageError(f"engine option {written!r} is given twice")
        checked[name] = _typed(written, value, fields.get(name) or "")
        if (fault := option_values.fault(name, checked[name], fields.get(name) or "")) is not None:
            raise UsageError(f"engine option {written!r}: {fault}")
    return checked


def _typed(written: str, value: Any, annotation: str) -> Any:
    """A value that came as text (from the command line), as the annotated type."""
    if not isinstance(value, str):
        return value
    kinds = {part.strip() for part in annotation.split("|")}
    if value.casefold() in ("none", "null") and "None" in kinds:
        return None
    if "bool" in kinds and value.casefold() in _TRUE | _FALSE:
        return value.casefold() in _TRUE
    for kind, read in (("int", int), ("float", float)):
        if kind in kinds:
            try:
                return read(value)
            except ValueError:
                continue
    if kinds & {"bool", "int", "float"} and "str" not in kinds:
        raise UsageError(f"engine option {written!r}: {value!r} is not {_described(kinds)}")
    if value.startswith(("{", "[")) and "str" not in kinds:
        try:
            return json.loads(value)
        except ValueError as error:
            raise UsageError(f"engine option {written!r}: not JSON: {error}") from error
    return value


def _described(kinds: set[str]) -> str:
    words = {"bool": "true or false", "int": "a whole number", "float": "a number"}
    return " or ".join(word for kind, word in words.items() if kind in kinds)


def answer_affecting(options: Mapping[str, Any]) -> dict[str, str]:
    """The part of checked options that belongs into a request's key."""
    chosen = {"dtype": "auto"} | {
        name: value
        for name, value in options.items()
        if name not in NEUTRAL_OPTIONS and value is not None
    }
    return {name: _as_text(name, chosen[name]) for name in sorted(chosen)}


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        folder = model_files.path_of(value)
        in_folder = name in _FOLDER_OPTIONS and model_files.is_folder(folder)
        return model_files.fingerprint(folder) if in_folder else value
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
