"""The fingerprint of a local model, under which its answers are kept; its sizes."""

import json
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "qwen3"}')
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "tokenizer.json").write_text("{}")
    return made


def test_moving_the_folder_changes_nothing(folder: Path) -> None:
    before = model_files.fingerprint(folder)
    assert model_files.fingerprint(folder.rename(folder.with_name("moved"))) == before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "chat_template.jinja"])
def test_a_changed_or_new_file_changes_the_fingerprint(folder: Path, name: str) -> None:
    before = model_files.fingerprint(folder)
    (folder / name).write_text('{"other": 1}')
    assert model_files.fingerprint(folder) != before


def test_a_renamed_file_changes_the_fingerprint(folder: Path) -> None:
    before = model_files.fingerprint(folder)
    (folder / "tokenizer.json").rename(folder / "tokenizer2.json")
    assert model_files.fingerprint(folder) != before


@pytest.mark.parametrize("name", ["README.md", ".gitattributes", ".cache/x", "train.py"])
def test_what_no_engine_reads_does_not_count(folder: Path, name: str) -> None:
    before = model_files.fingerprint(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("new")
    assert model_files.fingerprint(folder) == before


def test_code_counts_where_the_model_brings_its_own(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": "code.Config"}}))
    before = model_files.fingerprint(folder)
    (folder / "code.py").write_text("class Config: ...")
    assert model_files.fingerprint(folder) != before


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "no/such/folder/here", "~/no"])
def test_a_path_to_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        vllm.create(EngineConfig(name))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        vllm.create(EngineConfig(str(tmp_path)))


def test_a_hub_name_is_no_path() -> None:
    assert model_files.local_folder("Qwen/Qwen3-0.6B") is None
    assert model_files.local_folder("gpt2") is None


def test_the_weights_are_those_that_the_index_names(folder: Path) -> None:
    assert model_files.stored_bytes(folder) == len(b"weights")
    for name, size in (("model-1.safetensors", 10), ("model-2.safetensors", 20)):
        (folder / name).write_bytes(bytes(size))
    (folder / "consolidated.safetensors").write_bytes(bytes(30))
    (folder / "model.safetensors").unlink()
    assert model_files.stored_bytes(folder) == 30
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert model_files.stored_bytes(folder) == 10
    (folder / "model.safetensors.index.json").write_text("[]")
    assert model_files.stored_bytes(folder) == 30


def test_a_folder_without_weights_has_no_size(tmp_path: Path) -> None:
    assert model_files.stored_bytes(tmp_path) is None
    assert model_files.configuration(tmp_path) is None
    (tmp_path / "config.json").write_text("[1]")
    assert model_files.configuration(tmp_path) is None


LLAMA = {"vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("options", "bits", "stored"),
    [
        ({}, None, True),
        ({"dtype": "float32"}, None, False),
        ({"quantization": "fp8"}, 8, False),
        ({"quantization": "bitsandbytes"}, 4.5, False),
        ({"hf_overrides": {"num_hidden_layers": 4}}, None, True),
    ],
)
def test_the_engine_knows_sizes_before_it_is_started(
    folder: Path, options: dict[str, object], bits: float | None, stored: bool
) -> None:
    (folder / "config.json").write_text(json.dumps(LLAMA | {"dtype": "bfloat16"}))
    engine = vllm.create(EngineConfig(str(folder), options))
    shape = engine.shape()
    assert shape is not None
    assert shape.layers == (4 if "hf_overrides" in options else 2)
    assert shape.value_bytes == (4 if "dtype" in options else 2)
    assert (shape.quantisation.bits if shape.quantisation else None) == bits
    assert engine.weight_bytes() == (len(b"weights") if stored else None)
    assert engine.device() is not None
