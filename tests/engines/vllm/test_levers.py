"""The options of vLLM that are tried when the user names none."""

from dataclasses import replace
from typing import Any

from llmbatch.engines.info import EngineInfo
from llmbatch.engines.vllm import levers, options

_CPU: dict[str, Any] = {
    "max_num_seqs": 64,
    "max_num_batched_tokens": 4096,
    "max_model_len": 512,
    "chunked_prefill": False,
    "block_size": 32,
    "enforce_eager": True,
    "async_scheduling": True,
    "gpu_memory_utilization": None,
}
_GPU = _CPU | {
    "chunked_prefill": True,
    "block_size": 16,
    "enforce_eager": False,
    "gpu_memory_utilization": 0.92,
}
CPU, GPU = EngineInfo.from_json(_CPU), EngineInfo.from_json(_GPU)


def test_on_a_cpu() -> None:
    assert levers.alternatives(CPU, 1000, on_cpu=True) == {
        "enforce_eager": [False],
        "max_num_seqs": [128, 256, 32],
        "block_size": [64, 128],
        "async_scheduling": [False],
    }


def test_on_a_gpu() -> None:
    assert levers.alternatives(GPU, 1000, on_cpu=False) == {
        "max_num_seqs": [128, 256, 32],
        "max_num_batched_tokens": [8192, 2048],
        "gpu_memory_utilization": [0.95],
        "async_scheduling": [False],
    }


def test_none_of_it_can_change_an_answer() -> None:
    for info, on_cpu in ((CPU, True), (GPU, False)):
        tried = levers.alternatives(info, 1000, on_cpu=on_cpu)
        assert tried.keys() <= options.NEUTRAL_OPTIONS


def test_more_at_once_than_there_are_requests_is_not_tried() -> None:
    def tried(requests: int) -> list[int]:
        return levers.alternatives(CPU, requests, on_cpu=True).get("max_num_seqs", [])

    assert tried(112) == [128, 32]
    assert tried(64) == [32]
    assert tried(32) == []


def test_a_step_has_room_for_a_token_of_each_sequence() -> None:
    many = replace(GPU, max_num_seqs=4096)
    assert levers.alternatives(many, 9999, on_cpu=False)["max_num_batched_tokens"] == [8192]


def test_a_cache_that_was_given_in_bytes_stays() -> None:
    sized = replace(GPU, gpu_memory_utilization=None)
    assert "gpu_memory_utilization" not in levers.alternatives(sized, 1000, on_cpu=False)
