"""The model of the GPU suite: the shape of a Qwen3 model without its weights. What a device could
do with it at best is `llmbatch.sizing.roofline`."""

from typing import Any

from llmbatch.sizing.dimensions import Shape


def config_of(shape: Shape, base: dict[str, Any]) -> dict[str, Any]:
    """config.json of a model of this shape; `base` is that of another Qwen3 model."""
    return base | {
        "num_hidden_layers": shape.layers,
        "layer_types": ["full_attention"] * shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    }
