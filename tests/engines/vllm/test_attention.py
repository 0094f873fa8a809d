"""The attention backend is named, as the worker's log has it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.engines.vllm import attention
from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session

LINE = (
    "(EngineCore pid=71) INFO 11-28 [cuda.py:507] Using FLASH_ATTN attention backend out of "
    "potential backends: ['FLASH_ATTN', 'FLASHINFER', 'TRITON_ATTN', 'FLEX_ATTENTION'].\n"
)


def _config(asked: Any = None, *, latent: bool = False, device: str = "cuda") -> Any:
    return SimpleNamespace(
        device_config=SimpleNamespace(device_type=device),
        model_config=SimpleNamespace(use_mla=latent),
        attention_config=SimpleNamespace(backend=asked),
    )


@pytest.mark.parametrize(
    ("text", "asked", "name"),
    [
        (LINE, None, "FLASH_ATTN"),
        (LINE.replace("FLASH_ATTN att", "AttentionBackendEnum.FLASHINFER att"), None, "FLASHINFER"),
        ("Using nothing.\n", None, None),
        ("", SimpleNamespace(name="TRITON_ATTN"), "TRITON_ATTN"),
    ],
)
def test_on_a_gpu_it_is_that_of_the_log(
    tmp_path: Path, text: str, asked: Any, name: str | None
) -> None:
    earlier = "Using TRITON_MLA attention backend.\n"
    (tmp_path / "log").write_text(earlier + text)
    assert attention.backend(_config(asked), str(tmp_path / "log"), len(earlier)) == name


def test_on_a_cpu_there_is_one() -> None:
    assert attention.backend(_config(device="cpu"), None, 0) == "CPU_ATTN"
    assert attention.backend(_config(device="cpu", latent=True), None, 0) is None


@pytest.mark.engine
@pytest.mark.skipif(not session.has_vllm(), reason="vLLM is not installed")
def test_a_started_engine_names_it(vllm_engine: VllmEngine) -> None:
    assert vllm_engine.describe().settings["attention_backend"] == "CPU_ATTN"
