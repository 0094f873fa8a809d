"""A schema from the command line: read as it is meant, told of, or refused before anything runs."""

import json
from typing import Any

import pytest

from tests.cli.command import QuickJob

OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"score": {"enum": [0.1, 0.7]}, "note": {"type": "string"}},
    "required": ["score"],
    "additionalProperties": False,
}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": OBJECT}}


def said(job: QuickJob, schema: Any, answers: list[str], *more: str) -> tuple[int, str]:
    """Run a job whose engine gives these answers; its exit code and what it told."""
    (job.folder / "schema.json").write_text(
        schema if isinstance(schema, str) else json.dumps(schema)
    )
    rows = [json.dumps({"id": n, "text": text}) for n, text in enumerate(answers)]
    (job.folder / "in.jsonl").write_text("\n".join(rows) + "\n")
    done = job.command(
        *("run", "in.jsonl", "-m", "m", "-p", "{{ text }}", "-o", "out.jsonl", "--attempts", "1"),
        *("--engine", "tests.scripted_engine:create", "--engine-arg", "answer=said"),
        *("--schema", "schema.json", *more),
    )
    return done.code, done.stderr


def responses(job: QuickJob) -> list[str]:
    lines = (job.folder / "out.jsonl").read_text().splitlines()
    return [line.partition('"response":')[2].removesuffix("}") for line in lines]


def test_a_wrapped_schema_is_held_and_told_of_once(quick: QuickJob) -> None:
    code, told = said(quick, WRAPPED, ['{"score": 0.1}', "5", '{"whatever": 1}'])
    assert code == 3
    assert told.count("schema: taken from $.json_schema.schema") == 1
    assert len(responses(quick)) == 1


def test_numbers_come_out_as_the_schema_has_them(quick: QuickJob) -> None:
    schema = json.dumps(OBJECT).replace("0.7", "0.70")
    code, _ = said(quick, schema, ['{"score": 0.10000000000000001}', '{"score": 0.7, "note": "7"}'])
    assert code == 0
    assert responses(quick) == ['{"score": 0.1}', '{"score": 0.70, "note": "7"}']


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ('{"propertys": {}}', "schema: $.propertys: unknown keyword 'propertys' (did you mean"),
        ('{"type": "object", "required": ["z"], "additionalProperties": false}', "$.required: 'z'"),
        ('{"type": "object", "type": "string"}', "schema.json: has the key 'type' twice"),
        ('{"minimum": 1e999}', "schema.json: is not JSON that can be kept: number too large"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_schema_that_cannot_be_held_is_refused_by_run_and_plan(
    quick: QuickJob, command: str, schema: str, line: str
) -> None:
    (quick.folder / "schema.json").write_text(schema)
    done = quick.command(command, *quick.arguments("--schema", "schema.json")[1:])
    assert done.code == 2
    assert line in done.error


def test_a_schema_in_a_job_file_is_read_in_the_same_way(quick: QuickJob) -> None:
    (quick.folder / "job.toml").write_text(
        'input = "in.csv"\noutput = "o.jsonl"\nmodel = "m"\nprompt = "{{ text }}"\n'
        '[answer.schema]\nname = "x"\n[answer.schema.schema]\ntype = "string"\nminLength = 3\n'
        "maxLength = 2\n"
    )
    done = quick.command("run", "job.toml", "--engine", "tests.scripted_engine:create")
    assert done.code == 2
    assert "schema: $.schema.minLength: leaves nothing beside $.maxLength" in done.error


def test_an_answer_with_a_nul_passes_through_the_next_job(quick: QuickJob) -> None:
    text = json.dumps({"score": 0.7, "note": "a\0b"})
    code, _ = said(quick, OBJECT, [text], "-o", "out.csv")
    assert code == 0
    again = quick.command(
        *("run", "out.csv", "-m", "m", "-p", "{{ note }}", "-o", "next.jsonl"),
        *("--engine", "tests.scripted_engine:create", "--engine-arg", "answer=said"),
    )
    assert again.code == 0
    (row,) = (quick.folder / "next.jsonl").read_text().splitlines()
    assert json.loads(row)["response"] == "a\0b"
