"""Patterns from the command line: one meaning, or a line that says what to write."""

import json

import pytest

from tests.cli.command import QuickJob

ENGINE = ("--engine", "tests.scripted_engine:create", "--engine-arg", "answer=said")


def answered(job: QuickJob, answers: list[str], *constraint: str) -> list[str]:
    """The answers that a job keeps of those that its engine gives."""
    rows = [json.dumps({"id": n, "text": text}) for n, text in enumerate(answers)]
    (job.folder / "in.jsonl").write_text("\n".join(rows) + "\n")
    done = job.command(
        *("run", "in.jsonl", "-m", "m", "-p", "{{ text }}", "-o", "out.jsonl", "--attempts", "1"),
        *(*ENGINE, *constraint),
    )
    assert done.code == 3, done.stderr
    lines = (job.folder / "out.jsonl").read_text().splitlines()
    return [answers[json.loads(line)["id"]] for line in lines]


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (r"\A(?i:yes|no)\z", ["YES", "no"], ["yes!", "maybe"]),
        (r"\d+", ["12"], ["\u0661\u0662"]),
        (r".+", ["one line"], ["two\nlines"]),
    ],
)
def test_a_regex_is_the_whole_answer(
    quick: QuickJob, pattern: str, right: list[str], wrong: list[str]
) -> None:
    assert answered(quick, right + wrong, "--regex", pattern) == right


def test_a_pattern_of_a_schema_is_found_anywhere(quick: QuickJob) -> None:
    (quick.folder / "schema.json").write_text(
        '{"type": "object", "properties": {"id": {"pattern": "^ORD-"}, "at": {"pattern": "EU$"}}}'
    )
    right = [json.dumps({"id": 'ORD-1 "x"\n'}), json.dumps({"at": "\\\nEU"})]
    wrong = [json.dumps({"id": "1ORD-"}), json.dumps({"at": "EU\n"})]
    assert answered(quick, right + wrong, "--schema", "schema.json") == right


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("written", "line"),
    [
        (("--regex", "foo^bar"), "regex: no text can match"),
        (("--regex", r"(a)\1"), "regex: a back-reference is not supported: write the group's"),
        (("--schema", "schema.json"), "schema: $.properties.a.pattern: [:alpha:] means different"),
    ],
)
def test_a_pattern_without_a_meaning_is_refused_with_its_place(
    quick: QuickJob, command: str, written: tuple[str, str], line: str
) -> None:
    (quick.folder / "schema.json").write_text('{"properties": {"a": {"pattern": "[[:alpha:]]"}}}')
    done = quick.command(command, *quick.arguments(*written)[1:])
    assert done.code == 2
    assert line in done.error
    assert "no text" in line or "of the pattern)" in done.error
