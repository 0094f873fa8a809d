"""Reading a model's sizes from its config.json, by the names that Hugging Face's models use."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmbatch.sizing import quantization
from llmbatch.sizing.dimensions import Experts, Latent, Quantisation, Shape

Config = Mapping[str, Any]

# Defaults of the models' classes in transformers, which config.json leaves out.
_TIED = {"gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "opt", "cohere", "cohere2", "bloom"}
_GEMMA3 = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma3_text": _GEMMA3 | {"vocab_size": 262_208, "sliding_window": 4096},
    "gemma2": {"sliding_window": 4096},
}
_UNGATED = {"gpt2", "opt", "gpt_neox", "gpt_bigcode", "falcon", "bloom", "mpt", "phi", "starcoder2"}
_UNGATED |= {"nemotron"}
# Models with layers that no formula here knows (states instead of a cache, weights for each token).
_OTHER_TYPES = {"gemma3n", "gemma3n_text", "mamba", "mamba2", "jamba", "bamba", "zamba2", "rwkv"}
_OTHER_NAMES = ("hybrid_override_pattern", "ssm_cfg", "state_size", "mamba_d_state")
_LAYER_KINDS = {"full_attention", "sliding_attention", "chunked_attention"}
_ALIASES = {
    "num_hidden_layers": ("n_layer", "num_layers"),
    "hidden_size": ("n_embd", "d_model"),
    "num_attention_heads": ("n_head",),
    "intermediate_size": ("ffn_dim", "n_inner"),
    "max_position_embeddings": ("n_positions",),
}
# Every n-th layer sees the whole sequence; the others have a window.
_PATTERNS = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4}


def shape_of(config: Config) -> Shape | None:
    """The sizes in a config.json; None where they are missing, and for models other than decoders
    with attention in every layer and the same sizes in each."""
    try:
        shape = _shape(_flat(config))
        return shape if shape is not None and shape.weight_bytes > 0 < shape.token_bytes() else None
    except (TypeError, ValueError, AttributeError, ZeroDivisionError):  # lists, texts, other words
        return None


def _shape(known: dict[str, Any]) -> Shape | None:
    layers, heads = known.get("num_hidden_layers"), known.get("num_attention_heads")
    hidden, vocabulary = known.get("hidden_size"), known.get("vocab_size")
    if not (layers and heads and hidden and vocabulary) or _is_other(known):
        return None
    kind = known.get("model_type", "")
    window, window_layers = _windows(known, kind, layers)
    shape = Shape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=_kv_heads(known, heads),
        head_dim=known.get("head_dim") or hidden // heads,
        intermediate=known.get("intermediate_size_mlp")
        or known.get("intermediate_size")
        or 4 * hidden,
        vocabulary=vocabulary,
        tied=bool(known.get("tie_word_embeddings", kind in _TIED)),
        gated=kind not in _UNGATED,
        value_bytes=value_bytes(known),
        window=window,
        window_layers=window_layers,
        context=known.get("max_position_embeddings") or 0,
        experts=_experts(known, layers),
        latent=_latent(known),
        quantisation=_quantisation(known),
    )
    return _with_small(shape, known, kind)


def value_bytes(config: Config) -> int:
    """Bytes of a number as engines load it: they take 16 bits for what is stored in 32, unless an
    option of theirs (`dtype`, here as `loaded_dtype`) says otherwise."""
    return 4 if config.get("loaded_dtype") in ("float32", "float") else 2


def _flat(config: Config) -> dict[str, Any]:
    """One mapping: a model that also reads images has its text part in `text_config`."""
    inner = config.get("text_config")
    known = {**config, **inner} if isinstance(inner, Mapping) else dict(config)
    for name, others in _ALIASES.items():
        for other in others:
            if known.get(name) is None and isinstance(known.get(other), int):
                known[name] = known[other]
    if isinstance(inner, Mapping) and config.get("quantization_config"):
        known["quantization_config"] = config["quantization_config"]
    return _DEFAULTS.get(known.get("model_type", ""), {}) | known


def _is_other(config: Config) -> bool:
    kinds = set(config.get("layer_types") or ())
    named = any(config.get(name) is not None for name in _OTHER_NAMES)
    other = config.get("model_type") in _OTHER_TYPES or bool(config.get("is_encoder_decoder"))
    return other or named or not kinds <= _LAYER_KINDS


def _kv_heads(config: Config, heads: int) -> int:
    if config.get("multi_query") and not config.get("new_decoder_architecture"):
        return 1
    return config.get("num_key_value_heads") or config.get("num_kv_heads") or heads


def _windows(config: Config, kind: str, layers: int) -> tuple[int, int]:
    """The window in tokens and the number of layers that have it; (0, 0): none."""
    kinds = config.get("layer_types")
    window = config.get("sliding_window") or config.get("attention_chunk_size") or 0
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    if kinds:
        count = sum(each != "full_attention" for each in kinds)
    elif kind in ("qwen2", "qwen3", "qwen2_moe", "qwen3_moe"):
        count = max(0, layers - (config.get("max_window_layers") or 0))
    else:
        pattern = config.get("sliding_window_pattern") or _PATTERNS.get(kind)
        count = layers - layers // pattern if isinstance(pattern, int) else layers
    return (window, count) if count else (0, 0)


def _experts(config: Config, layers: int) -> Experts | None:
    names = ("num_local_experts", "n_routed_experts", "num_experts")
    count = next((config[name] for name in names if config.get(name)), 0)
    per_token = config.get("num_experts_per_tok") or config.get("num_experts_per_token")
    if not (count and per_token):
        return None
    width = config.get("moe_intermediate_size") or config.get("intermediate_size") or 0
    shared = config.get("shared_expert_intermediate_size") or 0
    shared += (config.get("n_shared_experts") or 0) * width
    if config.get("intermediate_size_mlp"):  # Llama 4: one expert of the same width for all
        shared = width
    return Experts(count, per_token, width, shared, _dense_layers(config, layers))


def _dense_layers(config: Config, layers: int) -> int:
    """The number of layers without experts, in the notations of DeepSeek, Qwen and Llama 4."""
    first = config.get("first_k_dense_replace") or 0
    alone = set(config.get("mlp_only_layers") or ())
    every = config.get("decoder_sparse_step") or config.get("interleave_moe_layer_step") or 1
    sparse = [at for at in range(first, layers) if at not in alone and (at + 1) % every == 0]
    return layers - len(sparse)


def _latent(config: Config) -> Latent | None:
    if not config.get("kv_lora_rank"):
        return None
    return Latent(
        kv_rank=config["kv_lora_rank"],
        q_rank=config.get("q_lora_rank") or 0,
        rope=config.get("qk_rope_head_dim") or 0,
        nope=config.get("qk_nope_head_dim") or 0,
        value=config.get("v_head_dim") or 0,
    )


def _quantisation(config: Config) -> Quantisation | None:
    table = config.get("quantization_config")
    return quantization.from_config(table) if isinstance(table, Mapping) else None


def _with_small(shape: Shape, config: Config, kind: str) -> Shape:
    """With the numbers beside the matrices: norms, biases, learned positions."""
    norms = 4 if kind in ("gemma2", "gemma3_text") else 2
    each = norms * shape.hidden
    if kind.startswith(("qwen3", "gemma3")):
        each += 2 * shape.head_dim
    width = shape.head_dim * (shape.heads + 2 * shape.kv_heads)
    if config.get("attention_bias") or kind in ("qwen2", "qwen2_moe", "gpt2", "opt"):
        each += width
    small = shape.layers * each + shape.hidden
    if kind in ("gpt2", "opt"):
        small += shape.context * shape.hidden
    return replace(shape, small=small)
