"""Each lever tried on the real engine: what the table says of a CPU is what happens on one.

The engines are those of `llmbatch doctor --try`, each in a process of its own, asked the same rows;
checkpoints are the bundled model's own weights, rounded here in the forms that people publish, and
EAGLE's head is made here with random weights.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from llmbatch.doctor import child
from llmbatch.engines.vllm import here
from llmbatch.engines.vllm.lever_table import LEVERS
from tests.engines.vllm import eagle_head, quantised, session

pytestmark = [
    *session.needs_vllm,
    pytest.mark.skipif(not here.look().is_cpu, reason="what a GPU does, `doctor --try` says"),
]
BASE = "nothing changed"
BY_NAME = {lever.name: lever for lever in LEVERS}
# Half a minute and more each, by `make verify-levers`.
SLOW = {"torch.compile, CUDA graphs", "FP8 weights, by channel", "pipeline parallelism"}
SLOW |= {"tensor parallelism"}
STORED = {"AWQ weights": "awq", "GPTQ weights": "gptq", "INT8 weights and activations": "w8a8"}
ALIKE = {
    "prefix caching": 0,
    "chunked prefill": 0,
    "KV cache in fp8": 2,
    "AWQ weights": 1,
    "GPTQ weights": 1,
    "INT8 weights and activations": 1,
    "LoRA": 0,
    "speculation by n-grams": 0,
    "draft model": 0,
    "EAGLE": 0,
}
"""Those that run, and how many of twelve answers may be others."""
FAILING = {
    "FP8 weights": "fp8",
    "sleep between jobs": "not supported on current platform",
    "cache in the host's memory": "only supported on CUDA",
    "GGUF weights": "Unknown quantization method",
    "speculation by suffixes": "arctic",
}
"""Those that are refused, and what vLLM itself says of them once it has started."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    session.stop()
    before = _files()
    root = tmp_path_factory.mktemp("models")
    made = {name: quantised.make(kind, session.MODEL, root / kind) for name, kind in STORED.items()}
    made["EAGLE"] = eagle_head.make(session.MODEL, root / "head")
    names = [f"{name}={made[name]}" if name in made else name for name in (*ALIKE, *FAILING)]
    module = "llmbatch.engines.vllm.lever_trial"
    lines = child.lines(module, str(session.MODEL), "120", *names, seconds=900)
    found = {result["name"].partition("=")[0]: result for result in map(json.loads, lines)}
    assert "error" not in found[BASE], found[BASE]
    assert not _files() - before
    return found


def _files() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("llmbatch-trial-*"))


def test_each_lever_that_can_be_tried_here_is() -> None:
    untried = {lever.name for lever in LEVERS} - ALIKE.keys() - FAILING.keys() - SLOW
    assert untried == {"attention backend", "data parallelism", "weights in the host's memory"}


@pytest.mark.parametrize("name", ALIKE)
def test_it_runs_and_does_to_answers_what_the_table_says(
    results: dict[str, Any], name: str
) -> None:
    assert BY_NAME[name].on_cpu.startswith("runs")
    assert "error" not in results[name], results[name]["error"]
    pairs = zip(results[name]["texts"], results[BASE]["texts"], strict=True)
    assert sum(one != other for one, other in pairs) <= ALIKE[name]


@pytest.mark.parametrize("name", FAILING)
def test_what_is_refused_would_fail_in_vllm(results: dict[str, Any], name: str) -> None:
    assert BY_NAME[name].on_cpu.startswith("refused")
    assert BY_NAME[name].refusal(here.look()) is not None
    assert FAILING[name].casefold() in results[name]["error"].casefold()


def test_prefixes_come_from_the_cache(results: dict[str, Any]) -> None:
    assert results["prefix caching"]["cached"] > 0


def test_chunks_are_smaller_than_a_prompt_may_be(results: dict[str, Any]) -> None:
    settings = results["chunked prefill"]["settings"]
    assert settings["chunked_prefill"] is True
    assert settings["max_num_batched_tokens"] < settings["max_model_len"]


def test_a_cache_in_fp8_holds_twice_the_tokens(results: dict[str, Any]) -> None:
    before, after = (results[name]["settings"] for name in (BASE, "KV cache in fp8"))
    assert after["kv_cache_dtype"] == "fp8"
    assert after["kv_cache_tokens"] == 2 * before["kv_cache_tokens"]


@pytest.mark.parametrize("name", STORED)
def test_a_quantised_model_is_taken_in_its_own_form(results: dict[str, Any], name: str) -> None:
    form = results[name]["settings"]["quantization"]
    stored = quantised.KINDS[STORED[name]][1]["quant_method"]
    assert stored in form


def test_the_attention_backend_is_the_one_that_the_table_names(results: dict[str, Any]) -> None:
    assert results[BASE]["settings"]["attention_backend"] == "CPU_ATTN"
