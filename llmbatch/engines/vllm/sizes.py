"""How large vLLM's model will be and where it will run, without vLLM."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines import hub, model_files
from llmbatch.engines.vllm import defaults
from llmbatch.sizing import cpu, nvidia
from llmbatch.sizing.device import Device
from llmbatch.sizing.model_config import value_bytes

# What vLLM makes of weights that are not quantised, by its option `quantization`.
_WHILE_LOADING = {"fp8": {}, "bitsandbytes": {"load_in_4bit": True}, "mxfp4": {}}
_FULL = {"float32", "float"}


def configuration(
    model: str, folder: Path | None, commit: str | None, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """config.json with what the engine's options change of it; None where nobody knows it.

    `folder`: of a local model; else `commit` is that of the hub's `model`.
    """
    said = None
    if folder is not None:
        said = model_files.configuration(folder)
    elif commit is not None:
        said = hub.configuration(model, commit)
    return None if said is None else _with_options(said, options)


def _with_options(said: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    overrides = options.get("hf_overrides")
    changed = said | (overrides if isinstance(overrides, dict) else {})
    changed["loaded_dtype"] = options.get("dtype")
    method = options.get("quantization")
    if method in _WHILE_LOADING and not changed.get("quantization_config"):
        changed["quantization_config"] = {"quant_method": method} | _WHILE_LOADING[method]
        changed["quantised_while_loading"] = True
    return changed


def weight_bytes(
    model: str, folder: Path | None, commit: str | None, config: Mapping[str, Any]
) -> int | None:
    """What the files say, as long as vLLM keeps the weights as they are stored."""
    stored = config.get("dtype") or config.get("torch_dtype")
    as_stored = (4 if stored in _FULL else 2) == value_bytes(config)
    if not as_stored or config.get("quantised_while_loading"):
        return None
    if folder is None and commit is not None:
        folder = hub.cached_folder(model, commit)
    return model_files.stored_bytes(folder) if folder is not None else None


def device(options: Mapping[str, Any]) -> Device | None:
    """What vLLM would run on: the CPU if its CPU build is installed, else a GPU that is here."""
    if defaults.is_cpu_build():
        return cpu.detect()
    tensor, pipeline = (
        options.get(f"{name}_parallel_size") or 1 for name in ("tensor", "pipeline")
    )
    return nvidia.detect(tensor * pipeline)
