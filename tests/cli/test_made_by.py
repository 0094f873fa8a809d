"""Answers name the versions that made them, and what makes them anew is told."""

import json
from typing import Any

from tests.cli.command import Job


def told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if "since run" in line or "than at run" in line]


def sets(job: Job) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job.report()["made_by"]
    return found


def test_a_changed_template_and_a_swapped_model_are_told_by_name(job: Job) -> None:
    assert told(job.run("--meta").stderr) == []
    assert told(job.run("--meta").stderr) == []
    said = "llmbatch: warning: the prompt changed since run 2: 3 rows are computed anew"
    assert told(job.run("--meta", "-p", "Tell {{ text }}").stderr) == [said]
    prompted = sets(job)[0]["versions"]
    flags = ("--meta", "-p", "Tell {{ text }}", "--engine-arg", "variant=2")
    plan = job.command("plan", *job.arguments(*flags, "--format", "json")[1:]).stdout
    (notice,) = json.loads(plan)["notices"]
    (line,) = told(job.run(*flags).stderr)
    swapped = sets(job)[0]["versions"]
    change = f"(fingerprint {prompted['fingerprint']} -> {swapped['fingerprint']})"
    what = f"the model under the name m is another one than at run 3 {change}"
    assert line == f"llmbatch: warning: {what}: 3 rows are computed anew"
    assert notice == f"{what}: 3 requests are computed anew"
    assert prompted["template"] == swapped["template"]


def test_answers_of_several_versions_are_named_row_by_row(job: Job) -> None:
    job.run("--meta")
    job.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n4,new\n")
    job.run("--meta", "--temperature", "0")  # the same by other words
    (only,) = sets(job)
    assert (only["rows"], only["runs"]) == (4, [1, 2])
    assert {record["made_by"] for record in job.records()} == {only["name"]}
    rules = ("--system", "{{ '' if text == 'new' else '' }}")
    job.run("--meta", *rules)
    assert {each["name"] for each in sets(job)} == {row["made_by"] for row in job.records()}
