"""Adapters that fit and that do not, by their own tensors and by those of the model."""

from pathlib import Path

import numpy as np
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines import adapter_files
from llmbatch.engines.adapter_files import Shapes
from llmbatch.engines.vllm import adapter_fit
from tests.engines import lora
from tests.engines.vllm import session

RANK = 4
WIDE, NARROW, TOKENS = 12, 8, 50
MODEL: Shapes = {
    "model.embed_tokens.weight": (TOKENS, NARROW),
    "model.layers.0.mlp.up_proj.weight": (WIDE, NARROW),
    "model.layers.0.mlp.down_proj.qweight": (3, 3),
    "model.layers.0.mlp.experts.gate_up_proj": (2, WIDE, NARROW),
}
UP = "base_model.model.model.layers.0.mlp.up_proj"
FITTING: Shapes = {
    f"{UP}.lora_A.weight": (RANK, NARROW),
    f"{UP}.lora_B.weight": (WIDE, RANK),
}


def check(folder: Path, shapes: Shapes, model: Shapes, **config: object) -> None:
    """Check an adapter of such tensors."""
    lora.make(folder, session.MODEL, 1, rank=RANK, config=dict(config))
    tensors = {name: np.zeros(shape) for name, shape in shapes.items()}
    lora.write(folder / "adapter_model.safetensors", tensors)
    adapter_fit.check(adapter_files.read(folder), model)


def pair(module: str, first: tuple[int, ...], second: tuple[int, ...]) -> Shapes:
    name = f"base_model.model.{module}"
    return {f"{name}.lora_A.weight": first, f"{name}.lora_B.weight": second}


@pytest.mark.parametrize(
    "shapes",
    [
        FITTING,
        FITTING | pair("model.layers.0.mlp.down_proj", (RANK, 99), (98, RANK)),
        FITTING | pair("model.layers.0.mlp.experts", (2 * RANK, 5), (7, 2 * RANK)),
        FITTING | pair("lm_head", (RANK, NARROW), (TOKENS, RANK)),
        {
            "base_model.model.model.embed_tokens.lora_embedding_A": (RANK, TOKENS),
            "base_model.model.model.embed_tokens.lora_embedding_B": (NARROW, RANK),
        },
    ],
    ids=["plain", "quantized", "experts", "tied head", "embedding"],
)
def test_one_that_fits(tmp_path: Path, shapes: Shapes) -> None:
    check(tmp_path, shapes, MODEL, rank_pattern={"experts": 2 * RANK})


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (pair("x", (RANK, NARROW), (WIDE, RANK)), "it has no module x"),
        (FITTING | pair("model.layers.9.y", (RANK, 1), (1, RANK)), "no module model.layers.9.y"),
        (FITTING | {f"{UP}.lora_A.weight": (RANK, 9)}, f"up_proj has {NARROW} inputs, not 9"),
        (FITTING | {f"{UP}.lora_B.weight": (9, RANK)}, f"up_proj has {WIDE} outputs, not 9"),
        ({f"{UP}.lora_A.weight": (RANK, NARROW)}, "up_proj has lora_A alone"),
        (FITTING | {f"{UP}.lora_B.weight": (WIDE, 2)}, "lora_A and lora_B have different ranks"),
        (
            {f"{UP}.lora_A.weight": (2, NARROW), f"{UP}.lora_B.weight": (WIDE, 2)},
            "up_proj has rank 2, and adapter_config.json says 4",
        ),
        ({"model.layers.0.mlp.up_proj.weight": (WIDE, NARROW)}, "no tensors of an adapter"),
        (
            {
                "base_model.model.model.embed_tokens.lora_embedding_A": (RANK, 51),
                "base_model.model.model.embed_tokens.lora_embedding_B": (NARROW, RANK),
            },
            f"embed_tokens has {TOKENS} tokens, not 51",
        ),
    ],
)
def test_one_that_does_not(tmp_path: Path, shapes: Shapes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(tmp_path, shapes, MODEL)


def test_the_names_of_a_tower_are_those_of_the_text_model(tmp_path: Path) -> None:
    towers = {f"language_model.{name}": shape for name, shape in MODEL.items()}
    check(tmp_path, FITTING, towers)
    narrow = FITTING | {f"{UP}.lora_A.weight": (RANK, 9)}
    with pytest.raises(UsageError, match=f"has {NARROW} inputs, not 9"):
        check(tmp_path, narrow, towers)


def test_where_the_model_is_not_known_its_own_tensors_are_checked(tmp_path: Path) -> None:
    check(tmp_path, pair("anything", (RANK, 3), (3, RANK)), {})
    with pytest.raises(UsageError, match="lora_B alone"):
        check(tmp_path, {f"{UP}.lora_B.weight": (WIDE, RANK)}, {})


def test_weights_that_are_cut_or_no_weights_are_named(tmp_path: Path) -> None:
    weights = lora.make(tmp_path, session.MODEL, 1) / "adapter_model.safetensors"
    whole = weights.read_bytes()
    for content in (whole[:-4], whole[:100], b"", b"PK" * 50):
        weights.write_bytes(content)
        with pytest.raises(UsageError, match=r"adapter_model\.safetensors: is no safetensors file"):
            adapter_fit.check(adapter_files.read(tmp_path), {})


def test_a_folder_of_checkpoints_names_those_that_are_adapters(tmp_path: Path) -> None:
    lora.make(tmp_path / "checkpoint-500", session.MODEL, 1)
    with pytest.raises(UsageError, match=r"so it is no adapter; checkpoint-500 in it has one"):
        adapter_files.read(tmp_path)
