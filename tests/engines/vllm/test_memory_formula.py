"""Our formulas of memory against vLLM's own figures, for models that none of us has to load."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmbatch.engines.vllm import engine
from llmbatch.sizing import memory
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.model_config import shape_of
from llmbatch.sizing.settings import EngineSettings
from tests.engines.vllm import figures as vllm_figures
from tests.engines.vllm import session
from tests.engines.vllm.public_configs import CONFIGS

pytestmark = session.needs_vllm

TOLERANCE = 0.02
"""Less than a padded layer or the rounding of scales; the goal is 10 %."""
# Which vLLM builds only where the CPU has certain instructions, or on no CPU at all.
MAY_BE_REFUSED = {"gpt-oss 20B", "Qwen3 8B, fp8", "Llama 3.1 8B, fp8"}
DEVICE = Device("large", "cpu", 1, 1 << 40, 1e12, 1e11, "made up")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of vLLM, by name of the model."""
    root = tmp_path_factory.mktemp("models")
    for name, config in CONFIGS.items():
        (root / name).mkdir()
        (root / name / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.vllm.figures", str(root)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(figures: dict[str, Any], name: str) -> dict[str, Any]:
    refused = figures[name].get("refused")
    if refused and name in MAY_BE_REFUSED:
        pytest.skip(f"vLLM builds no such model on this CPU: {refused[:90]}")
    assert not refused
    found: dict[str, Any] = figures[name]
    return found


def known(name: str) -> Shape:
    shape = shape_of(CONFIGS[name])
    assert shape is not None
    return shape


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_take_what_vllm_makes_room_for(figures: dict[str, Any], name: str) -> None:
    expected = told(figures, name)["weight_bytes"]
    assert known(name).weight_bytes == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_cache_holds_what_vllm_says(figures: dict[str, Any], name: str) -> None:
    expected = told(figures, name)
    assert known(name).token_bytes() == expected["token_bytes"]
    length = vllm_figures.LENGTH
    settings = EngineSettings(
        kv_cache_memory_bytes=vllm_figures.CACHE,
        max_model_len=length,
        block_size=32,
        max_num_batched_tokens=length,
    )
    found = memory.fit(
        known(name), DEVICE, settings=settings, tokens_mean=100, tokens_longest=length
    )
    assert found.cache_tokens == pytest.approx(expected["cache_tokens"], rel=TOLERANCE)


def test_enough_kinds_of_models_were_compared(figures: dict[str, Any]) -> None:
    compared = {name for name in CONFIGS if "weight_bytes" in figures[name]}
    assert set(CONFIGS) - compared <= MAY_BE_REFUSED
    assert len(compared) >= 14


def test_a_started_engine_agrees(vllm_engine: engine.VllmEngine) -> None:
    info = vllm_engine.describe()
    shape, device = vllm_engine.shape(), vllm_engine.device()
    assert shape is not None
    assert device is not None
    assert info.kv_cache_tokens is not None
    given = EngineSettings.from_options(session.OPTIONS | {"block_size": info.block_size})
    found = memory.fit(
        shape,
        device,
        weight_bytes=vllm_engine.weight_bytes(),
        settings=given,
        tokens_mean=100,
        tokens_longest=256,
    )
    assert found.cache_tokens == pytest.approx(info.kv_cache_tokens, rel=TOLERANCE)
    assert found.fits
    told = given.updated(info)
    again = memory.fit(shape, device, settings=told, tokens_mean=100, tokens_longest=256)
    assert (again.measured, again.cache_tokens) == (True, info.kv_cache_tokens)
    assert (info.shape, info.hardware) == (shape, device)
    assert shape.weight_bytes == pytest.approx(info.weight_bytes, rel=TOLERANCE)
