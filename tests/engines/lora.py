"""Small random LoRA adapters for the bundled model."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from llmbatch.engines import adapter_files

MODULES = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")


def make(
    folder: Path,
    model: Path,
    seed: int,
    *,
    rank: int = 4,
    scale: float = 1.0,
    config: dict[str, Any] | None = None,
) -> Path:
    """A random adapter for the model in a folder, with weights of this scale. `config`: other
    entries of its configuration."""
    sizes = adapter_files.model_shapes(model)
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for name, size in sizes.items():
        if not name.endswith(tuple(f"{module}.weight" for module in MODULES)):
            continue
        wide, narrow = size
        module = f"base_model.model.{name.removesuffix('.weight')}"
        tensors[f"{module}.lora_A.weight"] = random.normal(0, scale, (rank, narrow))
        tensors[f"{module}.lora_B.weight"] = random.normal(0, scale, (wide, rank))
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "adapter_model.safetensors", tensors)
    usual = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": [module.rpartition(".")[2] for module in MODULES],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(usual | (config or {})))
    return folder


def write(path: Path, tensors: dict[str, "np.ndarray[Any, Any]"]) -> None:
    """A .safetensors file of float32 tensors."""
    header: dict[str, Any] = {}
    data = b""
    for name, tensor in tensors.items():
        packed = tensor.astype("<f4").tobytes()
        at = [len(data), len(data) + len(packed)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": at}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
