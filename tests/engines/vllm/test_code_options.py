"""The options of vLLM that name code, which a job file may not."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.vllm import code_options, options
from llmbatch.job import file

TOP = 'input = "i.csv"\noutput = "o.jsonl"\nmodel = "m"\nprompt = "p"\n[engine]\n'

NAMING: dict[str, list[Any]] = {
    "trust_remote_code": [True, "yes", "True"],
    "worker_cls": ["a.B"],
    "worker_extension_cls": ["a.B"],
    "scheduler_cls": ["a.B"],
    "logits_processors": [["a:B"], '["a:B"]'],
    "model_class_overrides": [{"A": "a:B"}],
    "io_processor_plugin": ["a"],
    "reasoning_parser_plugin": ["a.py"],
    "distributed_executor_backend": ["a.B", ["mp"]],
    "ec_manager_config": [{"encoder_cache_manager_cls": "a.B"}],
    "kv_transfer_config": [{"kv_connector": "A", "kv_connector_module_path": "a"}],
    "ec_transfer_config": ['{"ec_connector_module_path": "a"}'],
    "compilation_config": [
        {"backend": "a.b"},
        {"backend": ["a.b"]},
        {"inductor_passes": {"post_grad_custom_post_pass": "a.b"}},
        {"cache_dir": "a"},
        '{"backend": "a.b"}',
    ],
    "speculative_config": [
        {"model": "a.B"},
        {"method": "custom_class", "model": "x"},
        {"method": "draft_model", "model": "o/m", "draft_load_config": {"load_format": "x"}},
    ],
    "spec_model": ["a.B"],
    "spec_method": ["custom_class"],
    "structured_outputs_config": [{"backend": "auto", "reasoning_parser_plugin": "a.py"}],
    "logging_config": [{"pylogging_config_file": "a.json"}],
    "log_config_file": ["a.json"],
    "additional_config": [{"a": "b"}],
    "model_loader_extra_config": [{"a": "b"}],
    "load_format": ["ipc_cache"],
    "master_addr": ["10.0.0.1"],
    "nnodes": [2, "2"],
    "hf_overrides": [{"text_config": [{"trust_remote_code": True}]}],
    "mm_processor_kwargs": [{"trust_remote_code": "yes"}],
    "an_unknown_option": ["a", {"a": 1}, ["a"]],
}

HARMLESS: dict[str, list[Any]] = {
    "trust_remote_code": [False, "false", "No", "0"],
    "worker_cls": ["", None],
    "logits_processors": [[], None],
    "distributed_executor_backend": ["mp", "ray", "uni", None],
    "compilation_config": [3, {"backend": "inductor", "cudagraph_mode": "FULL"}, {"mode": 0}],
    "speculative_config": [
        {"method": "ngram", "num_speculative_tokens": 3},
        {"model": "some/draft-1.5", "num_speculative_tokens": 3},
    ],
    "spec_model": ["./a.b", "some/draft.1"],
    "spec_method": ["ngram"],
    "load_format": ["auto", "dummy", "safetensors"],
    "nnodes": [1],
    "hf_overrides": [{"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}],
    "max_num_seqs": [64, "64"],
    "dtype": ["bfloat16"],
    "quantization": ["fp8"],
    "limit_mm_per_prompt": [{"image": 0}],
    "an_unknown_option": [1, True, 0.5, None],
}


def pairs(options: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in options.items() for value in values]


@pytest.mark.parametrize(("name", "value"), pairs(NAMING))
def test_what_names_code_is_known_however_it_is_written(name: str, value: Any) -> None:
    for written in (name, name.replace("_", "-"), f"--{name}"):
        [(told, how)] = code_options.named({written: value, "max_num_seqs": 3})
        assert told == written
        assert how


@pytest.mark.parametrize(("name", "value"), pairs(HARMLESS))
def test_what_names_none_is_left_alone(name: str, value: Any) -> None:
    assert list(code_options.named({name: value})) == []


@pytest.mark.skipif(not options.is_installed(), reason="vLLM is not installed")
def test_no_option_of_a_class_or_a_plugin_is_forgotten() -> None:
    """A new vLLM may have further ones; that their names and types tell."""
    suspects = {
        name
        for name, kind in options.installed_fields().items()
        if "type[" in kind or name.endswith(("_cls", "_plugin")) or "plugin" in kind
    }
    for name in suspects - {"hf_token"}:
        assert any(code_options.named({name: "some.module"})), name
    assert code_options.CODE_OPTIONS.keys() <= options.NEUTRAL_OPTIONS | options.ANSWER_OPTIONS


@pytest.mark.parametrize(
    "line",
    ["trust_remote_code = true", 'worker-cls = "a.B"', 'compilation_config = { backend = "a.b" }'],
)
def test_a_job_file_may_not_name_code(tmp_path: Path, line: str) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f"{TOP}{line}\n")
    with pytest.raises(UsageError) as caught:
        file.load(path, {})
    assert str(caught.value).startswith(f"{path}: engine.{line.split(' =', maxsplit=1)[0]} ")
    assert "--engine-arg" in str(caught.value)
    assert "--trust-job-file" in str(caught.value)
    assert file.load(path, {}, trusted=True).engine.options


def test_what_a_flag_gives_instead_is_its_users_choice(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f"{TOP}trust-remote-code = true\n")
    file.load(path, {"engine": {"trust-remote-code": True}})
    flags = {"input": "i", "output": "o.csv", "model": "m", "prompt": "p"}
    file.load(None, flags | {"engine": {"name": "a:b", "trust_remote_code": True}})
    with pytest.raises(UsageError, match="trust-remote-code"):
        file.load(path, {"engine": {"max_num_seqs": 3}})
