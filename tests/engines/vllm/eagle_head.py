"""A head of the EAGLE kind for a model: one layer with random weights, whose drafts are bad.

Answers are the model's own whatever the drafts are, so that is enough to see whether they stay.
"""

import json
from pathlib import Path
from typing import Any

SHARED: tuple[str, ...] = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "head_dim",
    "rms_norm_eps",
    "dtype",
)
SHARED += ("num_attention_heads", "num_key_value_heads", "max_position_embeddings", "eos_token_id")


def make(model: Path, folder: Path) -> Path:
    """Write a head for `model` to a new folder. Its embeddings are those of the model."""
    import torch
    from safetensors.torch import save_file

    config = json.loads((model / "config.json").read_text())
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    tensors = {name: (torch.randn(shape) * 0.05).bfloat16() for name, shape in _shapes(config)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    kind = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(kind | {name: config[name] for name in SHARED}))
    return folder


def _shapes(config: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = "layers.0."
    return [
        ("fc.weight", (width, 2 * width)),
        (layer + "self_attn.q_proj.weight", (queries, width)),
        (layer + "self_attn.k_proj.weight", (keys, width)),
        (layer + "self_attn.v_proj.weight", (keys, width)),
        (layer + "self_attn.o_proj.weight", (width, queries)),
        (layer + "mlp.gate_proj.weight", (inner, width)),
        (layer + "mlp.up_proj.weight", (inner, width)),
        (layer + "mlp.down_proj.weight", (width, inner)),
        (layer + "post_attention_layernorm.weight", (width,)),
    ]
