"""Models of the Hugging Face Hub: which commit a name stands for, and what the cache holds."""

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import control_tokens, hub
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LLAMA = {"vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache; the hub must not be asked."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def put_model(cache: Path, ref: str = "main") -> Path:
    """Put a model into the cache, as huggingface_hub does; its folder."""
    repository = cache / "models--owner--name"
    for folder in (repository / "refs", repository / "snapshots" / COMMIT):
        folder.mkdir(parents=True)
    (repository / "refs" / ref).write_text(COMMIT)
    return repository / "snapshots" / COMMIT


def test_a_commit_is_taken_as_it_is() -> None:
    assert hub.commit_of("owner/name", COMMIT) == COMMIT


def test_a_cached_model_is_named_by_the_cached_commit(cache: Path) -> None:
    put_model(cache)
    assert hub.commit_of("owner/name", None) == COMMIT


def test_a_cached_branch_is_found(cache: Path) -> None:
    put_model(cache, "v2")
    assert hub.commit_of("owner/name", "v2") == COMMIT


@pytest.mark.parametrize("name", ["owner/name", "no--name"])
def test_offline_and_not_cached_says_what_to_do(name: str) -> None:
    with pytest.raises(UsageError, match="download it first"):
        hub.commit_of(name, None)


def test_a_model_that_is_not_cached_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        sha = COMMIT

    asked: list[tuple[Any, ...]] = []

    def model_info(_: object, *names: str, **options: object) -> type[Answer]:
        asked.append((*names, options["revision"]))
        return Answer

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    assert hub.commit_of("owner/name", "v2") == COMMIT
    assert asked == [("owner/name", "v2")]


def test_a_hub_that_does_not_answer_is_no_fault_of_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def model_info(*_: object, **__: object) -> None:
        raise ConnectionError("with a secret")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    with pytest.raises(EngineError, match=r"cannot be asked \(ConnectionError\)") as caught:
        hub.commit_of("owner/name", None)
    assert "secret" not in str(caught.value)


def test_the_identity_of_a_hub_model_is_its_commit(cache: Path) -> None:
    put_model(cache)
    engine = vllm.create(EngineConfig("owner/name"))
    assert engine.identity() == {"model": "owner/name", "revision": COMMIT, "dtype": "auto"}


def test_a_cached_model_of_the_hub_tells_its_sizes(cache: Path) -> None:
    folder = put_model(cache)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "model.safetensors").write_bytes(b"weights")
    engine = vllm.create(EngineConfig("owner/name", {"revision": COMMIT}))
    shape = engine.shape()
    assert shape is not None
    assert shape.layers == 2
    assert engine.weight_bytes() == len(b"weights")
    unknown = vllm.create(EngineConfig("owner/other", {"revision": COMMIT}))
    assert unknown.shape() is None
    assert unknown.weight_bytes() is None


def test_a_local_model_needs_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "huggingface_hub":
            raise ImportError(name)
        return present(name, *rest, **more)

    present = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", imported)
    monkeypatch.delitem(sys.modules, "huggingface_hub")
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    engine = vllm.create(EngineConfig(str(tmp_path)))
    assert engine.identity()["model"].startswith("sha256:")
    assert engine.shape() is not None
    with pytest.raises(EngineError, match=r"huggingface_hub, .*is not installed"):
        vllm.create(EngineConfig("owner/name")).identity()
    commit_given = vllm.create(EngineConfig("owner/name", {"revision": COMMIT}))
    assert (commit_given.shape(), commit_given.weight_bytes()) == (None, None)


def test_the_control_tokens_of_a_cached_model_are_known(cache: Path) -> None:
    folder = put_model(cache)
    assert control_tokens.of_model("owner/name", None, None) is None
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    assert control_tokens.of_model("owner/name", None, None) == ("<|end|>",)
    assert vllm.create(EngineConfig("owner/name")).control_tokens() == ("<|end|>",)
    assert control_tokens.of_model("owner/other", None, None) is None


def test_another_tokenizer_has_control_tokens_of_its_own(cache: Path, tmp_path: Path) -> None:
    (put_model(cache) / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": "[END]"}))
    engine = vllm.create(EngineConfig("owner/name", {"tokenizer": str(tmp_path)}))
    assert engine.control_tokens() == ("[END]",)
