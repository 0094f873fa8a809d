"""Asking for help must not cost more than click itself does."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import SCRIPT
from tests.engines.vllm.session import ROOT

ROUNDS = 15
HEAVY = (
    "duckdb",
    "vllm",
    "torch",
    "pyarrow",
    "pydantic",
    "jinja2",
    "jsonschema",
    "tqdm",
    "numpy",
    "huggingface_hub",
)
# What an engine or its tokenizers bring along, of which a plan needs nothing.
OF_ENGINES = ("vllm", "torch", "transformers", "sklearn", "scipy", "pandas", "sympy", "py3langid")
# What a console script of the smallest click program looks like.
BARE = f"""#!{sys.executable}
import sys
import click

@click.command()
def main():
    "Nothing."

if __name__ == "__main__":
    sys.exit(main())
"""


def seconds(program: Path) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, program, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def test_help_takes_at_most_twice_the_time_of_a_bare_click_program(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text(BARE)
    seconds(bare), seconds(SCRIPT)  # warm up
    rounds = [(seconds(bare), seconds(SCRIPT)) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    assert ours <= 2 * theirs, f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms"


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--help"], set()),
        (["--version"], set()),
        *(([command, "--help"], set()) for command in ("status", "retry", "export", "check")),
        # Their flags are made from the job's spec.
        *(([command, "--help"], {"pydantic"}) for command in ("run", "plan", "tune", "report")),
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str], needed: set[str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", SCRIPT, *arguments],
        capture_output=True,
        env=os.environ,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in finished.stderr.splitlines()}
    assert "click" in imported
    assert "llmbatch.cli.main" in imported
    assert {name.partition(".")[0] for name in imported} & set(HEAVY) == needed


def test_a_plan_for_a_model_with_a_plain_tokenizer_imports_nothing_of_an_engine(
    tmp_path: Path,
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(
        "".join(f'{{"id": {n}, "text": "please help, my order {n} is late"}}\n' for n in range(60))
    )
    arguments = [
        "plan",
        str(source),
        "-m",
        str(ROOT / "samples/model"),
        "-p",
        "{{ text }}",
        "--choice",
        "a",
    ]
    arguments += ["--choice", "b", "-o", str(tmp_path / "out.jsonl")]
    program = (
        "import sys; from llmbatch.cli.main import cli; "
        f"cli({arguments!r}, standalone_mode=False); "
        "print('brought:', *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told, _, brought = done.stdout.rpartition("brought:")
    assert "in the prompts" in told
    names = {name.partition(".")[0] for name in brought.split()}
    assert "tokenizers" in names
    assert names & set(OF_ENGINES) == set()


def test_a_run_brings_no_more_of_arrow_than_its_arrays(tmp_path: Path) -> None:
    """Beside what vLLM imports each of these is memory of the front end for the whole run."""
    source = tmp_path / "in.jsonl"
    source.write_text(
        "".join(f'{{"id": {n}, "text": "please help, my order {n} is late"}}\n' for n in range(60))
    )
    arguments = ["run", str(source), "-m", "m", "-p", "{{ text }}", "--quiet"]
    arguments += ["--engine", "tests.scripted_engine:create", "-o", str(tmp_path / "out.jsonl")]
    command = [sys.executable, "-X", "importtime", "-m", "llmbatch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 60
    brought = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pyarrow.lib" in brought
    assert not brought & {"pyarrow.compute", "pyarrow.parquet", "pyarrow.dataset", "py3langid"}
