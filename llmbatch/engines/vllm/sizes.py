"""The sizes of vLLM's model, and its device, found without importing vLLM."""

import os
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
_ANY_LENGTH = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"
_FULL = {"float32", "float"}


def configuration(
    model: str, folder: Path | None, commit: str | None, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """config.json, changed as the engine's options change it; None where it cannot be read.

    `folder`: of a local model; else `commit` is that of the hub's `model`.
    """
    stored = None
    if folder is not None:
        stored = model_files.configuration(folder)
    elif commit is not None:
        stored = hub.configuration(model, commit)
    return None if stored is None else _with_options(stored, options)


def _with_options(stored: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    overrides = options.get("hf_overrides")
    changed = stored | (overrides if isinstance(overrides, dict) else {})
    changed["loaded_dtype"] = options.get("dtype")
    method = options.get("quantization")
    if method in _WHILE_LOADING and not changed.get("quantization_config"):
        changed["quantization_config"] = {"quant_method": method} | _WHILE_LOADING[method]
        changed["quantised_while_loading"] = True
    return changed


def weight_bytes(
    model: str, folder: Path | None, commit: str | None, config: Mapping[str, Any] | None
) -> int | None:
    """Bytes of the weights by the size of their files; None if vLLM keeps them in another form, or
    there is no config.json."""
    if config is None:
        return None
    stored = config.get("dtype") or config.get("torch_dtype")
    as_stored = (4 if stored in _FULL else 2) == value_bytes(config)
    if not as_stored or config.get("quantised_while_loading"):
        return None
    if folder is None and commit is not None:
        folder = hub.cached_folder(model, commit)
    return model_files.stored_bytes(folder) if folder is not None else None


def longest_sequence(config: Mapping[str, Any]) -> int | None:
    """The most tokens for which vLLM starts the model of this config.json; None where that is not
    known, or the user has told vLLM to take any length."""
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    scaled = isinstance(rope, dict) and rope.get("rope_type", rope.get("type", "default"))
    if os.environ.get(_ANY_LENGTH, "0") != "0" or scaled != "default":
        return None
    most = config.get("max_position_embeddings")
    return most if isinstance(most, int) and "model_max_length" not in config else None


def device(options: Mapping[str, Any]) -> Device | None:
    """The device of vLLM: the CPU if its CPU build is installed, else a GPU of this machine."""
    if defaults.is_cpu_build():
        return cpu.detect()
    tensor, pipeline = (
        options.get(f"{name}_parallel_size") or 1 for name in ("tensor", "pipeline")
    )
    return nvidia.detect(tensor * pipeline)
