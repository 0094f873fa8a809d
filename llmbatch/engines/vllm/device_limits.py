"""Options that this machine's device, or the installed version, cannot do: told before a start.

vLLM finds most of it out when it has loaded the weights. Some of it it never says: on a CPU it
computes with its one attention backend whichever is named, and takes forms of the cache that this
backend does not hold, which garbles answers.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import Sampling
from llmbatch.engines import model_files, parallel_sizes
from llmbatch.engines.vllm.here import Here

Options = Mapping[str, Any]
_CPU_BACKENDS = ("CPU_ATTN", "CPU_MLA", "AMX_MLA", "TORCH_SDPA", "ZEN_CPU")
_ONLY_CPU = frozenset(_CPU_BACKENDS) - {"TORCH_SDPA"}
_BACKENDS_FROM = {"FLASH_ATTN": (8, 0), "FLASHMLA": (9, 0), "FLASH_ATTN_MLA": (9, 0)}
_BACKENDS_FROM |= {"CUTLASS_MLA": (10, 0), "FLASHINFER_MLA": (10, 0)}
_METHODS_FROM = {"awq": (7, 5), "fp8": (7, 5), "mxfp4": (8, 0), "modelopt": (8, 0)}
_PLUGINS = {"gguf": "vllm-gguf-plugin", "bitsandbytes": "vllm-bnb-plugin"}
_NO_CPU_KERNEL = ("mxfp8", "fbgemm_fp8")
_WHOLE_FP8 = ("fp8", "fp8_per_tensor")
_CARD = "needs a GPU"


def check(options: Options, config: Mapping[str, Any] | None, here: Here) -> None:
    """Raise UsageError for the first option that cannot work here. `config`: the model's
    config.json, None where it is not known."""
    fault = next(faults(options, config or {}, here), None)
    if fault is not None:
        raise UsageError(f"engine option {fault[0]!r}: {fault[1]}")


def check_files(options: Options, folder: Path, here: Here) -> None:
    """Raise UsageError for weights in a form that needs a plugin, which is not here."""
    is_wanted = "load_format" not in options and _lacks_plugin("gguf", here)
    if is_wanted and model_files.has_only_gguf(folder):
        raise UsageError(
            f"model {str(folder)!r}: its weights are gguf, for a plugin: pip install "
            f"{_PLUGINS['gguf']}"
        )


def check_sampling(options: Options, sampling: Sampling) -> None:
    """Raise UsageError for settings that vLLM refuses, row by row, beside speculation."""
    if not (options.get("speculative_config") or options.get("spec_method")):
        return
    named = [("min_p", sampling.min_p > 0), ("logit_bias", bool(sampling.logit_bias))]
    if given := next((name for name, is_given in named if is_given), None):
        raise UsageError(
            f"engine option 'speculative_config': vLLM takes no {given} beside speculation; leave "
            "one of the two out"
        )


def faults(options: Options, config: Mapping[str, Any], here: Here) -> Iterator[tuple[str, str]]:
    """Options that cannot work here, and why, one line each."""
    for name, look in _LOOKS.items():
        if (value := options.get(name)) and (fault := look(value, options, here)) is not None:
            yield name, fault
    if (fault := _stored_form(options, config, here)) is not None:
        yield "quantization", fault
    if (fault := _heads(options, config)) is not None:
        yield "tensor_parallel_size", fault


def _attention(value: Any, options: Options, here: Here) -> str | None:
    name, known = str(value).upper(), here.attention_backends
    if name == "AUTO":
        return None
    if known and name not in known:
        return f"vLLM has no backend {value!r}{nearest(name, known)}"
    if here.is_cpu and name not in _CPU_BACKENDS:
        return f"a CPU computes with CPU_ATTN, whichever is named: leave it out (got {value!r})"
    if not here.is_cpu and name in _ONLY_CPU:
        return f"{name} is for CPUs: leave it out"
    return _too_old(name, _BACKENDS_FROM.get(name), here)


def _cache_form(value: Any, options: Options, here: Here) -> str | None:
    known = here.cpu_caches
    if here.is_cpu and known and value not in known:
        return f"the CPU's attention holds {', '.join(known)}, and {value!r} garbles answers there"
    return None


def _method(value: Any, options: Options, here: Here) -> str | None:
    """Of weights that are quantised while they are loaded, or whose form is named."""
    name = str(value)
    if _is_unknown(name, here):
        if name in _PLUGINS:
            return f"this vLLM takes {name} through a plugin: pip install {_PLUGINS[name]}"
        return f"vLLM has no {name!r}{nearest(name, here.quantizations)}"
    return _no_kernel(name, here) or _too_old(name, _METHODS_FROM.get(name), here)


def _is_unknown(name: str, here: Here) -> bool:
    """True if neither vLLM nor a plugin has such a form, as far as that is known."""
    return bool(here.quantizations) and name not in here.quantizations and not _is_brought(here)


def _lacks_plugin(name: str, here: Here) -> bool:
    return name in _PLUGINS and _is_unknown(name, here)


def _is_brought(here: Here) -> bool:
    """True where a plugin is installed that may bring further forms; vLLM's own do not."""
    return any(not plugin.startswith("lora_") for plugin in here.plugins)


def _no_kernel(name: str, here: Here) -> str | None:
    if not here.is_cpu:
        return None
    if name in _WHOLE_FP8:
        return (
            "the CPU build has no kernel for weights in fp8 with one scale: fp8_per_channel runs"
            + (", fp8_per_block, too" if here.has_tiles else "")
        )
    if name == "fp8_per_block" and not here.has_tiles:
        return "needs a CPU with AMX, or a GPU; fp8_per_channel runs on others"
    return f"the CPU build has no kernel for {name}" if name in _NO_CPU_KERNEL else None


def _stored_form(options: Options, config: Mapping[str, Any], here: Here) -> str | None:
    """Of a checkpoint that is quantised."""
    table = config.get("quantization_config")
    if not isinstance(table, Mapping) or options.get("quantization"):
        return None
    name = str(table.get("quant_method", ""))
    if name == "fp8" and table.get("weight_block_size"):
        name = "fp8_per_block"
    if _lacks_plugin(name, here):
        return f"the model's weights are {name}, for a plugin: pip install {_PLUGINS[name]}"
    fault = _no_kernel(name, here) or _too_old(name, _METHODS_FROM.get(name), here)
    return None if fault is None else f"of the model's own config.json, {name}: {fault}"


def _too_old(name: str, least: tuple[int, int] | None, here: Here) -> str | None:
    if least is None or here.is_cpu or here.capability is None or here.capability >= least:
        return None
    needed, there = (".".join(map(str, each)) for each in (least, here.capability))
    return f"{name} needs a GPU of compute capability {needed}, and this one has {there}"


def _heads(options: Options, config: Mapping[str, Any]) -> str | None:
    heads, parts = config.get("num_attention_heads"), options.get("tensor_parallel_size")
    if isinstance(heads, int) and isinstance(parts, int) and parts > 0 and heads % parts:
        return f"the model's {heads} attention heads cannot be shared by {parts} devices"
    return None


def _parts(value: Any, options: Options, here: Here) -> str | None:
    if not isinstance(value, int) or value < 2:
        return None
    if here.is_cpu:
        return _parts_of_a_cpu(value, here)
    others = options.get("nnodes", 1) != 1 or options.get("distributed_executor_backend") == "ray"
    devices = parallel_sizes.product(options)
    if not others and 0 < here.gpus < devices:
        return f"{devices} GPUs are needed, and CUDA sees {here.gpus}"
    return None


def _parts_of_a_cpu(value: int, here: Here) -> str | None:
    if here.groups >= value:
        return None
    return (
        f"on a CPU each of {value} parts needs a memory node, of which there are {here.groups}, or "
        "cores that are named for it: VLLM_CPU_OMP_THREADS_BIND='0-3|4-7'"
    )


def _pipeline(value: Any, options: Options, here: Here) -> str | None:
    if here.is_cpu and isinstance(value, int) and value > 1:
        return f"{_CARD}: on a CPU vLLM's pipeline does not come to an answer"
    return _parts(value, options, here)


def _speculation(value: Any, options: Options, here: Here) -> str | None:
    if not isinstance(value, Mapping):
        return None
    return _draft_method(value.get("method"), options, here)


def _draft_method(value: Any, options: Options, here: Here) -> str | None:
    if value is None:
        return None
    name, known = str(value), here.speculations
    if known and name not in known:
        return f"vLLM has no method {name!r}{nearest(name, known)}"
    if name == "suffix" and here.modules.get("arctic_inference") is False:
        return "suffix needs a package: pip install arctic-inference"
    if name == "ngram_gpu" and here.is_cpu:
        return f"ngram_gpu {_CARD}; ngram runs on a CPU"
    return None


def _cache_offload(value: Any, options: Options, here: Here) -> str | None:
    if here.is_cpu:
        return f"{_CARD}: on a CPU the cache is in its memory already (kv_cache_memory_bytes)"
    is_other = options.get("kv_offloading_backend") == "lmcache"
    if is_other and here.modules.get("lmcache") is False:
        return "kv_offloading_backend = 'lmcache' needs a package: pip install lmcache"
    return None


def _only_card(what: str) -> Callable[[Any, Options, Here], str | None]:
    def look(value: Any, options: Options, here: Here) -> str | None:
        return f"{_CARD}: {what}" if here.is_cpu else None

    return look


_IN_MEMORY = "on a CPU the weights are in its memory already"
_LOOKS: Mapping[str, Callable[[Any, Options, Here], str | None]] = {
    "attention_backend": _attention,
    "kv_cache_dtype": _cache_form,
    "quantization": _method,
    "tensor_parallel_size": _parts,
    "pipeline_parallel_size": _pipeline,
    "speculative_config": _speculation,
    "spec_method": _draft_method,
    "kv_offloading_size": _cache_offload,
    "cpu_offload_gb": _only_card(_IN_MEMORY),
    "offload_group_size": _only_card(_IN_MEMORY),
    "enable_sleep_mode": _only_card("a CPU has no memory to give back"),
}
