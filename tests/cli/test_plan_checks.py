"""`llmbatch plan` refuses as `llmbatch run` does, with the same line, and says what is reused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmbatch.cli.main import cli
from llmbatch.engines.vllm import options
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import reuse
from llmbatch.pipeline.run.reuse import EarlierRun
from llmbatch.store.history import AskedBefore
from tests.cli.command import ROOT, Finished, QuickJob

MODEL = str(ROOT / "samples/model")
BAD = {
    "a prompt without a column": ["-p", "Say {{ txet }}"],
    "a template that cannot be read": ["-p", "Say {{ text"],
    "a budget without a price": ["--max-cost", "3"],
    "two prices": ["--price-per-hour", "1", "--price-per-million", "1/2"],
    "a pattern without an end": ["--regex", "(a"],
    "a pattern that cannot be in one line": ["--regex", "a$b"],
    "an option of no engine": ["--engine-arg", "nope=1"],
    "an output of no format": ["-o", "out.docx"],
    "an output in no folder": ["-o", "none/out.jsonl"],
    "an output of another program": ["-o", "foreign.jsonl"],
    "a column that is there already": ["--response-column", "text"],
    "a column of the output that is not there": ["--columns", "nope"],
    "a report of no form": ["--metrics-file", "x.txt"],
    "too little reuse": ["--expect-reuse", "90%"],
    "too few rows": ["--min-rows", "10"],
    "a condition over no column": ["--where", "nope = 1"],
    "a schema that nothing keeps": ["--schema", "none.json"],
    "no share": ["--expect-reuse", "many"],
    "an engine that takes no such request": ["--engine-arg", "refuse=true"],
    "an engine that is not there": ["--engine", "nope"],
}


@pytest.mark.parametrize("flags", BAD.values(), ids=BAD)
def test_both_refuse_with_the_same_line(quick: QuickJob, flags: list[str]) -> None:
    quick.write("foreign.jsonl", '{"mine": 1}\n')
    arguments = quick.arguments(*flags)[1:]
    planned, ran = (quick.command(command, *arguments) for command in ("plan", "run"))
    assert (planned.code, ran.code) == (2, 2)
    assert planned.error == ran.error
    assert "out.llmbatch" not in quick.names()


OPTIONS = {
    "dtype=bananas": "must be one of auto, half, ",
    "max_num_seqs=-5": "must be 1 or more (got -5)",
    "max_num_seqs=1.5": "must be a whole number",
    "gpu_memory_utilization=3": "must be above 0, 1 at most",
    "max_model_len=100000": "the model takes 1,024 tokens at most (got 100,000)",
    "nope=1": "vLLM has none",
}


def _invoke(folder: Path, command: str, *flags: str) -> Result:
    """A command that ran in this process."""
    (folder / "in.csv").write_text("id,text\n1,hello\n")
    usual = [str(folder / "in.csv"), "-m", MODEL, "-p", "Say {{ text }}"]
    return CliRunner().invoke(cli, [command, *usual, *flags])


@pytest.mark.parametrize("option", OPTIONS)
def test_a_plan_refuses_what_vllm_would_refuse_a_minute_later(
    tmp_path: Path, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if not options.is_installed() and option in ("dtype=bananas", "max_num_seqs=1.5"):
        pytest.skip("its types are read in the source of vLLM")
    done = _invoke(tmp_path, "plan", "--engine-arg", option)
    assert done.exit_code == 2
    assert (
        f"engine option '{option.partition('=')[0]}': {OPTIONS[option]}" in capfd.readouterr().err
    )


def test_a_plan_needs_no_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = _invoke(tmp_path, "plan", "--device", "H200", "--price-per-hour", "4")
    assert done.exit_code == 0
    assert "reuse     unknown: neither an output (-o) nor a state folder (--state)" in done.stdout
    assert "memory    H200: " in done.stdout
    assert "cost      about USD " in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    assert _invoke(tmp_path, "run").exit_code == 2
    assert "output is missing" in capfd.readouterr().err


def test_a_plan_reads_standard_input() -> None:
    usual = ["plan", "-", "--input-format", "csv", "-m", MODEL, "-p", "Say {{ text }}"]
    done = CliRunner().invoke(cli, usual, input="id,text\n1,hello\n2,bye\n")
    assert done.exit_code == 0
    assert done.stdout.startswith("rows      2 in = 2 with a request")


def test_the_cache_is_that_of_the_device_that_is_named(tmp_path: Path) -> None:
    done = _invoke(tmp_path, "plan", "--device", "H200", "--format", "json")
    seen = json.loads(done.stdout)
    planned = seen["prefix_cache"]["planned"]
    assert planned["max_num_seqs"] == seen["memory"]["max_num_seqs"] == 1024
    assert planned["cache_blocks"] == seen["memory"]["cache_tokens"] // 16


def _reasons(job: QuickJob, *flags: str) -> list[str]:
    done = job.command("plan", *job.arguments(*flags)[1:], "--format", "json")
    assert (done.code, done.stderr) == (0, "")
    found: list[str] = json.loads(done.stdout)["reuse_reasons"]
    return found


def test_it_says_why_nothing_is_reused(quick: QuickJob) -> None:
    prompt = "Be brief.\nSay {{ text }}"
    assert quick.run("-p", prompt).code == 0
    assert _reasons(quick, "-p", prompt) == []
    assert _reasons(quick, "-p", "Be brief.\nSay: {{ text }}") == [
        "the prompt differs from run 1's: line 2"
    ]
    assert _reasons(quick, "-p", prompt, "--system", "x", "--temperature", "0.5") == [
        "the system prompt differs from run 1's: there was none",
        "sampling.temperature differs from run 1's: 0.0 there",
    ]
    assert _reasons(quick, "-p", prompt, "--choice", "a", "--choice", "b") == [
        "the choices of the answer: there was none"
    ]
    assert _reasons(quick, "-p", prompt, "-m", "other") == [
        "the model differs from run 1's: 'm' there"
    ]
    quick.write("in.csv", "id,text,more\n1,hello,x\n2,new,y\n")
    assert _reasons(quick, "-p", prompt) == ["the columns differ from run 1's: new: more"]
    quick.write("in.csv", "id,text\n1,hello\n2,new\n")
    assert _reasons(quick, "-p", prompt) == ["the rows are new or have changed since run 1"]
    lines = quick.command("plan", *quick.arguments("-p", "x {{ text }}")[1:]).stdout.splitlines()
    assert "          the prompt differs from run 1's: line 1" in lines


def test_what_a_run_has_left_is_no_surprise(quick: QuickJob) -> None:
    assert quick.run("--max-rows", "2").code == 4
    (left,) = _reasons(quick)
    assert left == "1 request had been planned by run 1, and not answered"


def test_requests_that_read_alike_show_other_files_of_the_model() -> None:
    spec = JobSpec.model_validate(dict.fromkeys(("input", "output", "model", "prompt"), "x"))
    kept = EarlierRun(3, spec.model_dump(mode="json", by_alias=True))
    asked = AskedBefore(otherwise=2)
    assert reuse.reasons(spec, kept, asked) == [
        "2 requests read as in run 3: the files of the model have changed"
    ]
    other = spec.model_dump(mode="json", by_alias=True) | {"engine": {"dtype": "half"}}
    (line,) = reuse.reasons(spec, EarlierRun(3, other), asked)
    assert line.endswith("the files of the model, or options of the engine (dtype) have changed")


def _refused(job: QuickJob, *flags: str) -> Finished:
    planned = job.command("plan", *job.arguments(*flags)[1:])
    ran = job.run(*flags)
    assert (planned.code, ran.code, ran.error) == (2, 2, planned.error)
    return ran


def test_reuse_that_is_expected_is_asked_for_before_an_engine_starts(quick: QuickJob) -> None:
    assert quick.run().code == 0
    assert quick.computed() == 3
    quick.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n4,new\n")
    assert _refused(quick, "--expect-reuse", "90%").error == (
        "3 of 4 rows (75 %) are answered already, fewer than --expect-reuse 90%: "
        "no setting differs from run 1's: the rows, or the files of the model, have changed"
    )
    refused = _refused(quick, "--expect-reuse", "75%", "-p", "Now {{ text }}").error
    assert "0 of 4 rows (0 %)" in refused
    assert refused.endswith("the prompt differs from run 1's: line 1")
    assert quick.computed() == 0
    assert quick.run("--expect-reuse", "75%").code == 0
    assert quick.computed() == 1


def test_a_long_prompt_is_cut_in_its_middle(quick: QuickJob) -> None:
    long = "a" * 900 + "MIDDLE" * 1000 + "z" * 900
    arguments = quick.arguments("-p", f"{long} {{{{ text }}}}")[1:]
    cut = quick.command("plan", *arguments).stdout
    assert "[... 6,206 characters left out; --whole-prompt shows them ...]" in cut
    assert "MIDDLE" not in cut
    assert cut.endswith("z hello\n")
    assert f"{long} hello\n" in quick.command("plan", *arguments, "--whole-prompt").stdout


def test_a_sample_of_which_nothing_was_answered_is_no_success(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,FAIL a\n2,FAIL b\n3,FAIL c\n")
    arguments = quick.arguments("--sample", "2")[1:]
    done = quick.command("plan", *arguments)
    assert done.code == 3
    assert "none of the sample's rows was answered" in done.stderr
    quick.write("in.csv", "id,text\n1,FAIL a\n2,FAIL b\n4,good\n")
    assert quick.command("plan", *arguments).code == 0
