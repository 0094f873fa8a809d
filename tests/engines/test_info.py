"""The properties that an engine reports: their stored form, and an engine that reports none."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli.narration import Silent
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate.preview import preview
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import execute, preflight
from llmbatch.reports import renderers, report
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Experts, Quantisation, Shape
from llmbatch.store.opening import open_store

H200 = Device("H200", "gpu", 2, 140 << 30, 989e12, 4.8e12, "its data sheet")
MIXTURE = Shape(
    2,
    8,
    2,
    1,
    4,
    16,
    vocabulary=10,
    experts=Experts(8, 2, 16, 2),
    quantisation=Quantisation("x", 4),
)
FULL = EngineInfo(
    name="other",
    version="2.1",
    device="2 x H200",
    dtype="bfloat16",
    model="owner/name",
    parallelism={"tensor": 2},
    window=512,
    enforce_eager=False,
    hardware=H200,
    shape=MIXTURE,
    weight_bytes=1000,
    max_model_len=4096,
    max_num_seqs=256,
    max_num_batched_tokens=8192,
    prefix_caching=True,
    block_size=16,
    kv_cache_blocks=100,
    kv_cache_tokens=1600,
    kv_cache_dtype="fp8",
    gpu_memory_utilization=0.9,
    settings={"threads": 4, "options": {"seed": 1}},
)
# As a vLLM of an earlier version is stored, before the sizes of device and model were kept.
OLD: dict[str, Any] = {
    "engine": "vllm",
    "version": "0.26.0",
    "torch": "2.10.0",
    "device": "1 x H200",
    "dtype": "bfloat16",
    "model": "/models/one",
    "quantization": None,
    "parallelism": {"tensor": 1, "pipeline": 1},
    "max_model_len": 512,
    "max_num_seqs": 64,
    "prefix_caching": True,
    "block_size": 16,
    "kv_cache_blocks": 900,
    "gpu_memory_utilization": None,
    "options": {"max_num_seqs": 64},
    "window": 128,
}


def stored(info: EngineInfo) -> Any:
    return json.loads(json.dumps(info.to_json()))


@pytest.mark.parametrize("info", [FULL, EngineInfo(), EngineInfo(name="x", window=0)])
def test_what_is_stored_is_read_again(info: EngineInfo) -> None:
    assert EngineInfo.from_json(stored(info)) == info


def test_an_engine_of_an_earlier_version_is_read_and_shown_as_it_was() -> None:
    info = EngineInfo.from_json(OLD)
    assert (info.name, info.max_num_seqs, info.window, info.block_size) == ("vllm", 64, 128, 16)
    assert (info.hardware, info.shape, info.kv_cache_tokens, info.enforce_eager) == (None,) * 4
    assert info.device_count == 1
    assert list(info.settings.items()) == list(OLD.items())


def test_unknown_fields_of_a_later_version_are_shown_only() -> None:
    info = EngineInfo.from_json(stored(FULL) | {"speculation": {"tokens": 3}})
    assert info.settings["speculation"] == {"tokens": 3}
    assert replace(info, settings=FULL.settings) == FULL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window", "many"),
        ("max_num_seqs", True),
        ("max_model_len", 1.5),
        ("hardware", {"name": "of another kind"}),
        ("hardware", "a GPU"),
        ("shape", {"layers": 2}),
        ("shape", [1]),
        ("parallelism", 4),
        ("parallelism", {"tensor": "two"}),
        ("prefix_caching", "yes"),
        ("kv_cache_dtype", 8),
    ],
)
def test_a_value_of_another_kind_is_not_known(name: str, value: object) -> None:
    assert getattr(EngineInfo.from_json({name: value}), name) is None


def test_the_fields_are_part_of_the_settings() -> None:
    assert list(FULL.settings)[:4] == ["threads", "options", "engine", "version"]
    assert FULL.settings["hardware"] == asdict(H200)
    assert "kv_cache_memory_bytes" not in FULL.settings
    placed = EngineInfo(name="x", window=4, settings={"window": 4, "threads": 2})
    assert list(placed.settings) == ["window", "threads", "engine"]
    assert replace(placed, window=8).settings["window"] == 8


def test_devices_are_counted_by_hardware_else_by_parallelism() -> None:
    assert FULL.device_count == 2
    assert EngineInfo(parallelism={"tensor": 2, "pipeline": 3}).device_count == 6
    assert EngineInfo().device_count is None


def test_an_engine_that_tells_nothing_runs_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"t": "a"}\n{"t": "b"}\n')
    spec = JobSpec.model_validate({
        "input": str(tmp_path / "in.jsonl"),
        "output": str(tmp_path / "out.jsonl"),
        "model": "m",
        "prompt": "{{ t }}",
        "engine": {"name": "tests.engines.silent_engine:create"},
    })  # fmt: skip
    ready = preflight.make_ready(spec)
    execute.execute(ready, Silent())
    with open_store(folder.paths_for(spec).store, read_only=True) as db:
        found = report.build(db)
    assert found is not None
    assert (found.counts.answered, found.engine, found.limit) == (2, {}, None)
    for style in renderers.STYLES:
        assert renderers.render(found, style)
    assert preview(ready).requirements.device is None
