"""Findings of doctor on this machine, and on ones that lack something."""

import json
import resource
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbatch.cli.main import cli
from llmbatch.doctor import levers, machine, model, software
from llmbatch.doctor.child import ChildError, lines
from llmbatch.doctor.examination import Examination
from llmbatch.doctor.finding import Finding
from llmbatch.engines.vllm import here
from llmbatch.engines.vllm.lever_table import LEVERS
from llmbatch.sizing import nvidia
from tests.cli.command import ROOT

MODEL = str(ROOT / "samples" / "model")


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


def test_this_machine_is_described(tmp_path: Path) -> None:
    found = by_name([*software.look(), *machine.look(tmp_path)])
    assert found["packages"].state == "ok"
    assert "Python" in found
    assert "free" in found["memory"].found
    assert str(tmp_path) in found["disk"].found
    assert found["locks"].state == "ok"


def test_without_vllm_it_says_how_to_install_it_and_that_servers_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    found = by_name(list(software.look()))["vLLM"]
    assert (found.found, found.state) == ("not installed", "bad")
    assert "pip install 'llmbatch[cuda]'" in str(found.advice)
    assert "--engine openai" in str(found.advice)


def test_a_machine_without_vllm_is_looked_at_whole_and_exits_5(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    done = CliRunner().invoke(cli, ["doctor", "--format", "json"])
    assert done.exit_code == 5
    told = json.loads(done.stdout)
    assert told["fit"] is False
    names = {one["name"] for one in told["findings"]}
    assert {"vLLM", "memory", "disk", "locks", "limits"} <= names
    assert "import of vLLM" not in names


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [("VLLM_CPU_KVCACHE_SPACE", "4GB", "bad"), ("CUDA_VISIBLE_DEVICES", "", "note")],
)
def test_a_variable_that_would_break_or_surprise(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, state: str
) -> None:
    monkeypatch.setenv(name, value)
    first = next(software.environment())
    assert name in first.found
    assert first.state == state


def test_few_open_files_are_told_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (128, 4096))
    limits = [one for one in machine.look(tmp_path) if one.name == "limits"]
    assert limits[0] == Finding("limits", "128 of open files", "bad", "ulimit -n 4096")


def test_a_model_is_looked_at_without_loading_it() -> None:
    found = by_name(list(model.look(MODEL, nvidia.by_name("H100"))))
    assert "sha256:" in found["model"].found
    assert found["tokenizer"].found.startswith("works: ")
    assert found["model in memory"].state == "ok"
    assert "H100" in found["model in memory"].found


def test_a_model_that_is_not_there_is_a_usage_error() -> None:
    done = CliRunner().invoke(cli, ["doctor", "-m", "./no-such-folder"])
    assert done.exit_code == 2


def test_the_verdict_names_what_is_bad() -> None:
    findings = [Finding("a", "fine"), Finding("b", "broken", "bad", "mend it")]
    lines = list(Examination(findings).lines())
    assert lines[1:3] == ["X b  broken", "     -> mend it"]
    assert lines[-1] == "jobs cannot run here as it is: b (X above)"
    assert list(Examination(findings[:1]).lines())[-1] == "this machine can run jobs"


def test_a_child_is_ended_when_its_time_is_over() -> None:
    with pytest.raises(ChildError, match="not done after 0 seconds"):
        list(lines("http.server", "0", seconds=0.3))


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildError, match="No module named"):
        list(lines("llmbatch.no_such_module", seconds=30))


def test_each_lever_is_told_with_its_reason_where_it_is_refused() -> None:
    rows = {row.name: row for row in levers.look()}
    assert rows.keys() == {lever.name for lever in LEVERS}
    machine = here.look()
    for lever in LEVERS:
        row, refusal = rows[lever.name], lever.refusal(machine)
        assert (row.verdict == "refused") == (refusal is not None)
        assert refusal is None or refusal in row.words
        assert row.advice
        assert not {"`", "*"} & set(row.words + row.advice)
