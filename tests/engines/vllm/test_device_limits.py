"""Options that a device or a version cannot do are refused before weights load, in one line."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbatch.cli.main import cli
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Sampling
from llmbatch.engines.vllm import device_limits, here, options, versions
from llmbatch.engines.vllm.here import Here
from tests.cli.command import ROOT

MODEL = str(ROOT / "samples" / "model")
KNOWN = {
    "attention_backends": ("FLASH_ATTN", "FLASHINFER", "CUTLASS_MLA", "CPU_ATTN"),
    "quantizations": ("awq", "fp8", "fp8_per_block", "fp8_per_channel", "mxfp8", "mxfp4"),
    "speculations": ("ngram", "ngram_gpu", "suffix", "eagle", "draft_model"),
    "cpu_caches": ("auto", "fp8", "fp8_e5m2"),
    "modules": {"arctic_inference": False, "lmcache": False},
}
CPU = Here(is_cpu=True, has_tiles=True, **KNOWN)  # type: ignore[arg-type]
HOPPER = Here(is_cpu=False, gpus=2, capability=(9, 0), **KNOWN)  # type: ignore[arg-type]
TURING = replace(HOPPER, capability=(7, 0))
HEADS = {"num_attention_heads": 12}


def _stored(method: str, **more: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": method, **more}}


REFUSED: list[tuple[Here, dict[str, Any], dict[str, Any], str]] = [
    (CPU, {"attention_backend": "FLASHINFER"}, {}, "a CPU computes with CPU_ATTN"),
    (CPU, {"attention_backend": "FLASH_ATTM"}, {}, "did you mean 'FLASH_ATTN'"),
    (CPU, {"kv_cache_dtype": "int8_per_token_head"}, {}, "garbles answers"),
    (CPU, {"quantization": "fp8"}, {}, "fp8_per_channel runs, fp8_per_block, too"),
    (replace(CPU, has_tiles=False), {"quantization": "fp8"}, {}, "fp8_per_channel runs"),
    (replace(CPU, has_tiles=False), {"quantization": "fp8_per_block"}, {}, "a CPU with AMX"),
    (CPU, {"quantization": "mxfp8"}, {}, "no kernel for mxfp8"),
    (CPU, {"quantization": "gguf"}, {}, "pip install vllm-gguf-plugin"),
    (CPU, {"quantization": "bitsandbytes"}, {}, "pip install vllm-bnb-plugin"),
    (CPU, {"quantization": "awk"}, {}, "did you mean 'awq'"),
    (CPU, {}, _stored("fp8"), "of the model's own config.json, fp8: the CPU build has no kernel"),
    (CPU, {}, _stored("bitsandbytes"), "pip install vllm-bnb-plugin"),
    (CPU, {"tensor_parallel_size": 2}, {}, "VLLM_CPU_OMP_THREADS_BIND"),
    (CPU, {"pipeline_parallel_size": 2}, {}, "needs a GPU"),
    (CPU, {"speculative_config": {"method": "suffix"}}, {}, "pip install arctic-inference"),
    (CPU, {"speculative_config": {"method": "ngram_gpu"}}, {}, "ngram runs on a CPU"),
    (CPU, {"speculative_config": {"method": "ngrams"}}, {}, "did you mean 'ngram'"),
    (CPU, {"kv_offloading_size": 1}, {}, "needs a GPU"),
    (CPU, {"cpu_offload_gb": 1}, {}, "in its memory already"),
    (CPU, {"offload_group_size": 2}, {}, "in its memory already"),
    (CPU, {"enable_sleep_mode": True}, {}, "needs a GPU"),
    (HOPPER, {"attention_backend": "CPU_ATTN"}, {}, "is for CPUs"),
    (HOPPER, {"attention_backend": "CUTLASS_MLA"}, {}, "compute capability 10.0, and this one has"),
    (HOPPER, {"tensor_parallel_size": 4}, {}, "4 GPUs are needed, and CUDA sees 2"),
    (
        HOPPER,
        {"tensor_parallel_size": 2, "pipeline_parallel_size": 2},
        {},
        "4 GPUs are needed, and CUDA sees 2",
    ),
    (
        replace(HOPPER, gpus=8),
        {"tensor_parallel_size": 5},
        HEADS,
        "12 attention heads cannot be shared by 5",
    ),
    (
        HOPPER,
        {"kv_offloading_size": 1, "kv_offloading_backend": "lmcache"},
        {},
        "pip install lmcache",
    ),
    (TURING, {"attention_backend": "FLASH_ATTN"}, {}, "compute capability 8.0"),
    (TURING, {"quantization": "fp8"}, {}, "compute capability 7.5, and this one has 7.0"),
    (TURING, {}, _stored("awq"), "of the model's own config.json, awq: awq needs a GPU"),
]


@pytest.mark.parametrize(("there", "given", "config", "message"), REFUSED)
def test_it_is_refused(
    there: Here, given: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        device_limits.check(given, config, there)
    assert message in str(error.value)
    assert str(error.value).startswith("engine option '")
    assert "\n" not in str(error.value)


TAKEN: list[tuple[Here, dict[str, Any], dict[str, Any]]] = [
    (CPU, {"attention_backend": "CPU_ATTN", "kv_cache_dtype": "fp8_e5m2"}, {}),
    (CPU, {"quantization": "fp8_per_channel"}, {}),
    (CPU, {"quantization": "fp8_per_block"}, {}),
    (CPU, {}, _stored("fp8", weight_block_size=[128, 128])),
    (CPU, {}, _stored("awq")),
    (CPU, {"tensor_parallel_size": 1, "enable_sleep_mode": False, "cpu_offload_gb": 0}, {}),
    (replace(CPU, groups=2), {"tensor_parallel_size": 2}, {}),
    (replace(CPU, plugins=("bnb_quantization",)), {"quantization": "bitsandbytes"}, {}),
    (HOPPER, {"tensor_parallel_size": 2, "quantization": "fp8", "enable_sleep_mode": True}, HEADS),
    (HOPPER, {"tensor_parallel_size": 8, "distributed_executor_backend": "ray"}, {}),
    (HOPPER, {"attention_backend": "auto", "kv_cache_dtype": "int8_per_token_head"}, {}),
    (HOPPER, {"speculative_config": {"model": "x", "method": "eagle"}}, {}),
    (replace(HOPPER, gpus=0, capability=None), {"tensor_parallel_size": 8}, {}),
    # Where a version's source says nothing, vLLM decides.
    (Here(is_cpu=True), {"quantization": "new", "attention_backend": "CPU_ATTN"}, {}),
]


@pytest.mark.parametrize(("there", "given", "config"), TAKEN)
def test_it_is_taken(there: Here, given: dict[str, Any], config: dict[str, Any]) -> None:
    device_limits.check(given, config, there)


@pytest.mark.parametrize("sampling", [Sampling(min_p=0.1), Sampling(logit_bias=((1, 2.0),))])
def test_settings_that_speculation_does_not_take(sampling: Sampling) -> None:
    speculation = {"speculative_config": {"method": "ngram", "num_speculative_tokens": 2}}
    device_limits.check_sampling({}, sampling)
    device_limits.check_sampling(speculation, Sampling(temperature=0.5))
    with pytest.raises(UsageError, match="beside speculation"):
        device_limits.check_sampling(speculation, sampling)


@pytest.mark.skipif(not options.is_installed(), reason="vLLM is not installed")
def test_the_installed_version_names_what_it_has() -> None:
    found = here.look()
    assert {"FLASH_ATTN", "TRITON_ATTN"} <= set(found.attention_backends)
    assert {"awq", "fp8", "compressed-tensors"} <= set(found.quantizations)
    assert {"ngram", "eagle", "draft_model", "medusa"} <= set(found.speculations)
    assert {"auto", "fp8"} <= set(found.cpu_caches)
    assert versions.source() is not None


OPTIONS = {
    "enable_sleep_mode=true": "engine option 'enable_sleep_mode': needs a GPU",
    "pipeline_parallel_size=2": "engine option 'pipeline_parallel_size': needs a GPU",
    "quantization=gguf": "this vLLM takes gguf through a plugin: pip install vllm-gguf-plugin",
    "quantization=bitsandbytes": "takes bitsandbytes through a plugin: pip install vllm-bnb-plugin",
    'speculative_config={"method":"suffix","num_speculative_tokens":4}': (
        "engine option 'speculative_config': suffix needs a package: pip install arctic-inference"
    ),
}


@pytest.mark.skipif(not here.look().is_cpu, reason="the CPU build of vLLM is not installed")
@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("option", OPTIONS)
def test_plan_and_run_refuse_with_the_same_line(
    tmp_path: Path, command: str, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert OPTIONS[option] in _refused(tmp_path, command, MODEL, capfd, "--engine-arg", option)


@pytest.mark.skipif(not here.look().is_cpu, reason="the CPU build of vLLM is not installed")
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_model_in_a_form_that_vllm_does_not_read_is_refused(
    tmp_path: Path,
    command: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left_out = shutil.ignore_patterns("*.safetensors")
    folder = shutil.copytree(MODEL, tmp_path / "model", ignore=left_out)
    weights = folder / "model.gguf"
    weights.write_bytes(b"GGUF")
    plugin = "its weights are gguf, for a plugin: pip install vllm-gguf-plugin"
    assert plugin in _refused(tmp_path, command, str(folder), capfd)
    monkeypatch.chdir(folder)
    said = _refused(tmp_path, command, weights.name, capfd)
    assert "model 'model.gguf': not a folder" in said


def test_other_forms_of_weights_are_vllms_to_read(tmp_path: Path) -> None:
    plugged = replace(CPU, plugins=("bnb_quantization",))
    (tmp_path / "a.gguf").touch()
    device_limits.check_files({"load_format": "dummy"}, tmp_path, CPU)
    device_limits.check_files({}, tmp_path, plugged)
    device_limits.check_files({}, Path(MODEL), CPU)
    with pytest.raises(UsageError, match="vllm-gguf-plugin"):
        device_limits.check_files({}, tmp_path, CPU)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    device_limits.check_files({}, tmp_path, CPU)


def _refused(
    folder: Path, command: str, model: str, capfd: pytest.CaptureFixture[str], *more: str
) -> str:
    """The line that a command ends with."""
    (folder / "in.csv").write_text("id,text\n1,hello\n")
    usual = [str(folder / "in.csv"), "-m", model, "-p", "Say {{ text }}"]
    output = ["-o", str(folder / "out.jsonl")]
    done = CliRunner().invoke(cli, [command, *usual, *output, *more])
    said = capfd.readouterr().err
    assert done.exit_code == 2, said
    assert not [*folder.glob("out*")]  # nor a log of vLLM
    (line,) = (line for line in said.splitlines() if "error:" in line)
    return line


@pytest.mark.skipif(not here.look().is_cpu, reason="the CPU build of vLLM is not installed")
def test_a_plan_for_another_device_is_not_refused_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,hello\n")
    usual = [str(tmp_path / "in.csv"), "-m", MODEL, "-p", "Say {{ text }}", "--device", "H100"]
    done = CliRunner().invoke(cli, ["plan", *usual, "--engine-arg", "enable_sleep_mode=true"])
    assert done.exit_code == 0
