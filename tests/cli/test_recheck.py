"""Rules over answers, from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from llmbatch.cli.main import cli
from tests.cli.command import QuickJob

JOB = """\
input = "in.csv"
output = "out.jsonl"
model = "m"
prompt = "{{ text }}"
id_column = "id"
"""
ENGINE = '[engine]\nname = "tests.scripted_engine:create"\n'
CHECK = '[[check]]\nname = "early"\nrule = "CAST(id AS INTEGER) < 3"\n'
FLAG = '[[check]]\nname = "long"\nrule = "length(text) < 6"\non_fail = "flag"\n'


def rows(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def recheck(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `llmbatch recheck` in this process; what it says."""

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(cli, ["recheck", *arguments])
        assert result.exit_code == 0
        return capfd.readouterr().err

    return said


def test_rules_change_and_no_answer_is_paid_for_again(
    job: QuickJob, recheck: Callable[..., str]
) -> None:
    job_file = job.folder / "job.toml"
    job_file.write_text(JOB + FLAG + CHECK + ENGINE)
    done = job.command("run", "job.toml", "--trust-job-file", "--meta")
    assert done.code == 3, done.stderr
    assert "early: does not hold: CAST(id AS INTEGER) < 3" in done.stderr
    assert [row["id"] for row in rows(job.folder / "out.jsonl")] == ["1", "2"]
    assert [row["flags"] for row in rows(job.folder / "out.jsonl")] == [[], ["long"]]
    (failed,) = rows(job.folder / "out.errors.jsonl")

    job_file.write_text(JOB + CHECK.replace("3", "2") + ENGINE)
    said = recheck(str(job_file))
    assert "1 row pending again; run the job again" in said
    job_file.write_text(JOB + ENGINE)
    assert "2 rows answered again" in recheck(str(job_file))
    assert "3 rows pending again" in recheck(str(job_file), "--check", "never: false")

    again = job.command("run", "job.toml", "--trust-job-file")
    assert again.code == 0, again.stderr
    assert "engine" not in again.stderr
    answers = {row["id"]: row["response"] for row in rows(job.folder / "out.jsonl")}
    assert answers["3"] == failed["error"]["answer"]


def test_a_rule_that_cannot_be_used_is_refused_by_plan_and_run(job: QuickJob) -> None:
    (job.folder / "job.toml").write_text(JOB + CHECK.replace("id AS", "idd AS") + ENGINE)
    for command in ("plan", "run"):
        done = job.command(command, "job.toml", "--trust-job-file")
        assert done.code == 2
        assert "check early: no column 'idd' (did you mean 'id'?)" in done.stderr
        assert "starting the engine" not in done.stderr
