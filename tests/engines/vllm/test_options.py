"""Engine options: checked against the installed vLLM, and sorted by what they can change."""

import subprocess
import sys
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.vllm import options as vllm_options

pytestmark = pytest.mark.skipif(not vllm_options.is_installed(), reason="vLLM is not installed")


def test_each_installed_option_is_declared_once() -> None:
    """A new vLLM has new options: decide for each whether it can change an answer."""
    declared = vllm_options.NEUTRAL_OPTIONS | vllm_options.ANSWER_OPTIONS
    installed = set(vllm_options.installed_fields())
    assert not installed - declared, "declare these"
    assert not vllm_options.NEUTRAL_OPTIONS & vllm_options.ANSWER_OPTIONS


def test_an_undeclared_option_counts_as_answer_affecting() -> None:
    assert vllm_options.answer_affecting({"brand_new": 1})["brand_new"] == "1"


def test_neutral_options_are_not_in_the_key_and_dtype_always_is() -> None:
    given = {"max_num_seqs": 3, "tensor_parallel_size": 2, "quantization": "fp8"}
    assert vllm_options.answer_affecting(given) == {"dtype": "auto", "quantization": "fp8"}


def test_nothing_of_vllm_is_imported_to_check_options() -> None:
    code = (
        "import sys; from llmbatch.engines.vllm import engine, options;"
        "options.check({'max-num-seqs': '3'});"
        "print([m for m in sys.modules if m.split('.')[0] in ('vllm', 'torch', 'psutil')])"
    )
    root = Path(__file__).parents[3]
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


def test_both_spellings_and_text_values_are_read() -> None:
    given = {
        "--max-num-seqs": "16",
        "enforce_eager": "true",
        "gpu_memory_utilization": "0.5",
        "compilation-config": '{"mode": 0}',
        "dtype": "float32",
        "quantization": "none",
    }
    assert vllm_options.check(given) == {
        "max_num_seqs": 16,
        "enforce_eager": True,
        "gpu_memory_utilization": 0.5,
        "compilation_config": {"mode": 0},
        "dtype": "float32",
        "quantization": None,
    }


def test_text_and_typed_values_are_the_same_in_the_key() -> None:
    as_text = vllm_options.check({"trust-remote-code": "yes"})
    typed = vllm_options.check({"trust_remote_code": True})
    assert vllm_options.answer_affecting(as_text) == vllm_options.answer_affecting(typed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_num_seq": 3}, "did you mean 'max_num_seqs'"),
        ({"model": "x"}, "give the model by --model"),
        ({"hf_token": "secret"}, "set HF_TOKEN"),
        ({"data_parallel_size": 2}, "use --replicas N"),
        ({"max-num-seqs": 3, "max_num_seqs": 4}, "given twice"),
        ({"max_num_seqs": "few"}, "'few' is not a whole number"),
        ({"enforce_eager": "maybe"}, "true or false"),
        ({"compilation_config": "{"}, "not JSON"),
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        vllm_options.check(options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [4, "ngram", ["ngram"], "[1]"])
def test_an_option_that_is_a_table_is_refused_in_another_form(value: object) -> None:
    with pytest.raises(UsageError, match="'speculative_config': must be a table"):
        vllm_options.check({"speculative_config": value})
    for table in ({"method": "ngram"}, '{"method": "ngram"}'):
        assert vllm_options.check({"speculative_config": table})["speculative_config"] == {
            "method": "ngram"
        }


def test_a_folder_counts_by_its_contents(tmp_path: Path) -> None:
    names = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "tokenizer.json").write_text("{}")
        names.append(vllm_options.answer_affecting({"tokenizer": str(folder)})["tokenizer"])
    assert names[0] == names[1]
    assert names[0].startswith("sha256:")
