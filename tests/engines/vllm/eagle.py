"""A head for EAGLE of the sample model, with random weights: its drafts are all wrong."""

import json
from pathlib import Path
from typing import Any

_CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 1,
    "tie_word_embeddings": False,
}
_SHARED = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "rms_norm_eps",
    "max_position_embeddings",
    "hidden_act",
    "dtype",
    "eos_token_id",
)


def make(model: Path, folder: Path) -> Path:
    """Write a head for the model in a folder to a new one."""
    import torch
    from safetensors.torch import save_file

    sizes = json.loads((model / "config.json").read_text())
    width, inner, head = sizes["hidden_size"], sizes["intermediate_size"], sizes["head_dim"]
    queries, keys = (head * sizes[f"num_{kind}_heads"] for kind in ("attention", "key_value"))
    shapes = {
        "fc": (width, 2 * width),
        "layers.0.self_attn.q_proj": (queries, width),
        "layers.0.self_attn.k_proj": (keys, width),
        "layers.0.self_attn.v_proj": (keys, width),
        "layers.0.self_attn.o_proj": (width, queries),
        "layers.0.mlp.gate_proj": (inner, width),
        "layers.0.mlp.up_proj": (inner, width),
        "layers.0.mlp.down_proj": (width, inner),
    }
    torch.manual_seed(0)
    tensors = {f"{name}.weight": 0.02 * torch.randn(shape) for name, shape in shapes.items()}
    tensors["layers.0.post_attention_layernorm.weight"] = torch.ones(width)
    folder.mkdir()
    in_half = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    save_file(in_half, folder / "model.safetensors", metadata={"format": "pt"})
    config = _CONFIG | {name: sizes[name] for name in _SHARED}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
