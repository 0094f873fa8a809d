"""The sample model with quantised weights, in the formats of checkpoints that people publish.

Weights are rounded to the nearest step, without calibration. As a program it makes every one:
`python -m tests.engines.vllm.quantised FOLDER`.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GROUP = 32
"""Numbers of a row that share a scale."""
BLOCK = (64, 128)
"""Rows and columns that share a scale."""
_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)

Tensors = dict[str, Any]


def make(kind: str, source: Path, folder: Path) -> Path:
    """Write the model of `source` as `kind`, one of KINDS, to a new folder."""
    from safetensors.torch import load_file, save_file

    quantise, declared = KINDS[kind]
    left_out = shutil.ignore_patterns("*.safetensors", "*.py", "__pycache__", "README.md")
    shutil.copytree(source, folder, ignore=left_out)
    tensors: Tensors = {}
    for name, weight in load_file(source / "model.safetensors").items():
        is_linear = name.endswith("_proj.weight")
        stem = name.removesuffix("weight")
        made = quantise(weight.float()) if is_linear else {"weight": weight}
        tensors |= {stem + part: value.contiguous() for part, value in made.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = declared
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return folder


def _steps(weight: Any, bits: int, group: int | None) -> tuple[Any, Any]:
    """Whole numbers around 0 and their scales, of rows or of groups in rows."""
    import torch

    rows, columns = weight.shape
    parts = weight.view(rows, -1, group or columns)
    scales = (parts.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)).clamp(min=1e-8)
    # As the engine will have them.
    scales = scales.to(torch.bfloat16).float() if group else scales
    most = 2 ** (bits - 1)
    whole = (parts / scales).round().clamp(-most, most - 1).to(torch.int32)
    return whole.view(rows, columns), scales.squeeze(-1)


def _packed(values: Any, dimension: int) -> Any:
    """Eight numbers of four bits in each one of 32, along a dimension."""
    import torch

    parts = values.unflatten(dimension, (-1, 8)).movedim(dimension + 1, -1).to(torch.int64)
    shifts = torch.arange(0, 32, 4)
    packed = (parts << shifts).sum(-1)
    return torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)


def _w8a8(weight: Any) -> Tensors:
    import torch

    whole, scales = _steps(weight, 8, None)
    return {"weight": whole.to(torch.int8), "weight_scale": scales.to(torch.bfloat16)}


def _w4a16(weight: Any) -> Tensors:
    import torch

    whole, scales = _steps(weight, 4, GROUP)
    return {
        "weight_packed": _packed(whole + 8, 1),
        "weight_scale": scales.to(torch.bfloat16),
        "weight_shape": torch.tensor(weight.shape, dtype=torch.int64),
    }


def _gptq(weight: Any) -> Tensors:
    import torch

    whole, scales = _steps(weight, 4, GROUP)
    groups = scales.shape[1]
    return {
        "qweight": _packed((whole + 8).t(), 0),
        "qzeros": _packed(torch.full((groups, weight.shape[0]), 7), 1),
        "scales": scales.t().to(torch.bfloat16),
        "g_idx": torch.arange(weight.shape[1], dtype=torch.int32) // GROUP,
    }


def _awq(weight: Any) -> Tensors:
    import torch

    whole, scales = _steps(weight, 4, GROUP)
    groups, outputs = scales.shape[1], weight.shape[0]
    columns = torch.arange(outputs).view(-1, 8)[:, _AWQ_ORDER].flatten()
    return {
        "qweight": _packed((whole + 8).t()[:, columns], 1),
        "qzeros": _packed(torch.full((groups, outputs), 8), 1),
        "scales": scales.t().to(torch.bfloat16),
    }


def _fp8(weight: Any) -> Tensors:
    import torch

    scale = weight.abs().max() / torch.finfo(torch.float8_e4m3fn).max
    return {
        "weight": (weight / scale).to(torch.float8_e4m3fn),
        "weight_scale": scale.reshape(1).float(),
    }


def _fp8_rows(weight: Any) -> Tensors:
    import torch

    most = torch.finfo(torch.float8_e4m3fn).max
    scale = weight.abs().amax(1, keepdim=True) / most
    return {
        "weight": (weight / scale).to(torch.float8_e4m3fn),
        "weight_scale": scale.to(torch.bfloat16),
    }


def _fp8_blocks(weight: Any) -> Tensors:
    import torch

    most = torch.finfo(torch.float8_e4m3fn).max
    blocks = weight.unflatten(1, (-1, BLOCK[1])).unflatten(0, (-1, BLOCK[0]))
    scale = blocks.abs().amax((1, 3), keepdim=True) / most
    whole = (blocks / scale).flatten(2, 3).flatten(0, 1)
    return {
        "weight": whole.to(torch.float8_e4m3fn),
        "weight_scale_inv": scale[:, 0, :, 0].float(),
    }


def _compressed(form: str, weights: Mapping[str, Any], inputs: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": dict(weights), "input_activations": inputs}
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": group | {"output_activations": None}},
    }


_INT8 = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False}
_INT4 = _INT8 | {"num_bits": 4, "strategy": "group", "group_size": GROUP}
_TOKENS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
_FP8 = _INT8 | {"type": "float"}
_FP8_TOKENS = _TOKENS | {"type": "float"}

KINDS: dict[str, tuple[Callable[[Any], Tensors], dict[str, Any]]] = {
    "w8a8": (_w8a8, _compressed("int-quantized", _INT8, _TOKENS)),
    "w4a16": (_w4a16, _compressed("pack-quantized", _INT4, None)),
    "gptq": (
        _gptq,
        {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": False, "sym": True},
    ),
    "awq": (
        _awq,
        {"quant_method": "awq", "bits": 4, "group_size": GROUP, "zero_point": True}
        | {"version": "gemm"},
    ),
    "fp8": (_fp8, {"quant_method": "fp8", "activation_scheme": "dynamic"}),
    "fp8 rows": (_fp8_rows, _compressed("float-quantized", _FP8, _FP8_TOKENS)),
    "fp8 blocks": (
        _fp8_blocks,
        {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": list(BLOCK)},
    ),
}


def main() -> None:
    source = Path(__file__).parents[3] / "samples" / "model"
    for kind in KINDS:
        make(kind, source, Path(sys.argv[1]) / kind)


if __name__ == "__main__":
    main()
