"""Sizes of well-known models, against what their makers say and by hand."""

from dataclasses import asdict
from typing import Any

import orjson
import pytest

from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.model_config import shape_of
from tests.engines.vllm.public_configs import CONFIGS, GEMMA3_1B, MIXTRAL, QWEN3_8B


def shape(name: str) -> Shape:
    found = shape_of(CONFIGS[name])
    assert found is not None
    return found


def test_parameters_by_hand() -> None:
    tiny = Shape(2, 8, 2, 1, 4, 16, vocabulary=10)
    # Query and output 8 x 8, key and value 8 x 4 each; three of 8 x 16; embeddings and head.
    assert tiny.matrix_values == 2 * (2 * 64 + 2 * 32 + 3 * 128)
    assert tiny.parameters == tiny.matrix_values + 2 * 80
    assert tiny.step_bytes(1) == 2 * (tiny.matrix_values + 80)
    assert tiny.token_bytes() == 2 * 2 * 4 * 2
    assert tiny.token_bytes("fp8") == 2 * 2 * 4
    assert tiny.token_bytes("float32") == 2 * 2 * 4 * 4


@pytest.mark.parametrize(
    ("name", "billions", "active"),
    [
        ("Llama 3.1 8B", 8.03, 8.03),
        ("Llama 3.1 70B", 70.6, 70.6),
        ("Llama 3.2 1B", 1.24, 1.24),
        ("Qwen2.5 7B", 7.62, 7.62),
        ("Qwen3 8B", 8.19, 8.19),
        ("Gemma 2 9B", 9.24, 9.24),
        ("Gemma 3 1B", 1.00, 1.00),
        ("Mixtral 8x7B", 46.7, 12.9),
        ("Qwen3 30B-A3B", 30.5, 3.3),
        ("DeepSeek V2 Lite", 15.7, 2.7),
        ("gpt-oss 20B", 20.9, 4.19),  # its makers say 3.6: without the embeddings
    ],
)
def test_published_sizes_are_met(name: str, billions: float, active: float) -> None:
    found = shape(name)
    assert found.parameters / 1e9 == pytest.approx(billions, rel=0.01)
    assert found.active_parameters / 1e9 == pytest.approx(active, rel=0.03)


def test_heads_that_are_shared_make_the_cache_smaller() -> None:
    assert shape("Llama 3.1 8B").token_bytes() == 2 * 2 * 32 * 8 * 128  # not 32 heads
    assert shape("Qwen2.5 7B").token_bytes() == 2 * 2 * 28 * 4 * 128
    # One latent vector and one part with the position, for any number of heads.
    assert shape("DeepSeek V2 Lite").token_bytes() == 2 * 27 * (512 + 64)


def test_layers_with_a_window_keep_no_more_than_that() -> None:
    gemma = shape("Gemma 3 1B")
    assert (gemma.window, gemma.window_layers) == (512, 22)
    each = gemma.token_bytes() / 26
    assert gemma.cache_bytes(400) == 400 * gemma.token_bytes()
    assert gemma.cache_bytes(2000) == each * (22 * 512 + 4 * 2000)
    kinds = ["sliding_attention"] * 20 + ["full_attention"] * 6
    said = shape_of(GEMMA3_1B | {"layer_types": kinds})
    assert said is not None and said.window_layers == 20


@pytest.mark.parametrize(
    ("extra", "layers"),
    [
        ({"sliding_window": 4096}, 0),  # `use_sliding_window` is off
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 30}, 6),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 36}, 0),
        ({"model_type": "mistral", "use_sliding_window": None, "sliding_window": 4096}, 36),
    ],
)
def test_which_layers_have_a_window(extra: dict[str, Any], layers: int) -> None:
    found = shape_of(QWEN3_8B | extra)
    assert found is not None and found.window_layers == layers


def test_a_step_reads_the_experts_that_are_chosen() -> None:
    mixtral = shape("Mixtral 8x7B")
    expert = 32 * 3 * 4096 * 14336 * 2
    plain = mixtral.weight_bytes - 8 * expert
    embeddings_and_norms = 2 * (32000 * 4096 + mixtral.small)
    for batch, touched in ((1, 2.0), (2, 8 * (1 - 0.75**2)), (1000, 8.0)):
        expected = plain - embeddings_and_norms + touched * expert
        assert mixtral.step_bytes(batch) == pytest.approx(expected)


def test_dense_layers_among_experts_are_found() -> None:
    base = CONFIGS["Qwen3 30B-A3B"]
    for extra, dense in (
        ({"decoder_sparse_step": 2}, 24),
        ({"mlp_only_layers": [0, 1, 5]}, 3),
        ({"first_k_dense_replace": 4}, 4),
    ):
        found = shape_of(base | extra)
        assert found is not None and found.experts is not None
        assert found.experts.dense_layers == dense


@pytest.mark.parametrize(
    ("said", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 8),
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8 + 32 / 128**2),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4.5),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 4.5),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights":
                {"num_bits": 4, "type": "int", "group_size": 32, "symmetric": True}}}},
            4.5,
        ),
    ],
)  # fmt: skip
def test_bits_of_a_quantised_number(said: dict[str, Any], bits: float) -> None:
    found = shape_of(QWEN3_8B | {"quantization_config": said})
    plain = shape("Qwen3 8B")
    assert found is not None and found.quantisation is not None
    assert found.quantisation.bits == pytest.approx(bits)
    # Embeddings, head and norms stay as they are.
    rest = plain.weight_bytes - 2 * plain.matrix_values
    assert found.weight_bytes == pytest.approx(rest + plain.matrix_values * bits / 8)


def test_an_unknown_method_counts_as_none() -> None:
    found = shape_of(QWEN3_8B | {"quantization_config": {"quant_method": "new"}})
    assert found == shape("Qwen3 8B")


def test_the_text_part_of_a_model_that_sees_is_read() -> None:
    # As published for Gemma 3 4B: all else is left to the class.
    text = {
        "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
        "num_hidden_layers": 34, "sliding_window": 1024,
    }  # fmt: skip
    found = shape_of({"model_type": "gemma3", "dtype": "bfloat16", "text_config": text})
    assert found is not None
    assert (found.heads, found.kv_heads, found.head_dim) == (8, 4, 256)
    assert found.parameters / 1e9 == pytest.approx(3.88, rel=0.01)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": 2},
        QWEN3_8B | {"layer_types": ["linear_attention", "full_attention"] * 18},
        QWEN3_8B | {"model_type": "mamba2"},
        MIXTRAL | {"mamba_d_state": 16},
        QWEN3_8B | {"is_encoder_decoder": True},
        QWEN3_8B | {"num_key_value_heads": [8] * 36},
        QWEN3_8B | {"num_attention_heads": "32"},
        QWEN3_8B | {"intermediate_size": [1, 2]},
        QWEN3_8B | {"hidden_size": -1},
        QWEN3_8B | {"quantization_config": {"quant_method": "awq", "bits": "four"}},
        {"text_config": 3, "num_hidden_layers": {"a": 1}},
    ],
)
def test_nothing_is_said_of_other_models(config: dict[str, Any]) -> None:
    assert shape_of(config) is None


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shape_survives_json(name: str) -> None:
    found = shape(name)
    assert Shape.from_json(orjson.loads(orjson.dumps(asdict(found)))) == found


def test_engines_load_full_numbers_as_half_ones() -> None:
    full = QWEN3_8B | {"torch_dtype": "float32"}
    assert shape_of(full) == shape("Qwen3 8B")
    kept = shape_of(full | {"loaded_dtype": "float32"})
    assert kept is not None and kept.weight_bytes == 2 * shape("Qwen3 8B").weight_bytes
