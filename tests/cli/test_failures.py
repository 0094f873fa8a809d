"""Rows that fail: they are named with kind and reason, and the run ends with 3."""

import json
import time
from pathlib import Path

import pytest

from tests.cli.command import Job, QuickJob

TEXTS = [
    "good",
    "FAIL:refused_request",
    "LENGTH",
    "INVALID",
    "one two three four five six seven eight nine ten eleven twelve",
    "good too",
]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished run with a failure of each kind, among rows that are answered."""
    job = Job(tmp_path_factory.mktemp("failing"))
    job.write("in.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(TEXTS)))
    finished = job.run("--choice", "yes", "--choice", "no", engine="max_model_len=10")
    assert finished.code == 3
    assert "see out.errors.jsonl" in finished.stderr.splitlines()[-1]
    assert "6 in = 2 answered + 4 failed + 0 rejected" in finished.stderr
    return job


def test_failed_rows_stand_in_the_error_file_with_kind_and_reason(failing: Job) -> None:
    assert [(record["id"], record["response"]) for record in failing.records()] == [
        ("0", "yes"),
        ("5", "yes"),
    ]
    errors = {record["id"]: record["error"] for record in failing.errors()}
    assert [(row, error["kind"]) for row, error in errors.items()] == [
        ("1", "refused_request"),
        ("2", "truncated"),
        ("3", "invalid_output"),
        ("4", "too_long"),
    ]
    assert "max_tokens" in errors["2"]["message"]
    assert "not one of the choices" in errors["3"]["message"]
    assert errors["3"]["answer"] == "not a valid answer"
    assert "context length is 10" in errors["4"]["message"]
    assert [error["attempts"] for error in errors.values()] == [1, 2, 2, 1]
    assert [record["text"] for record in failing.errors()] == TEXTS[1:5]


def test_the_report_gives_each_kind_with_advice(failing: Job) -> None:
    failures = {line["kind"]: line for line in failing.report()["failures"]}
    assert set(failures) == {"refused_request", "truncated", "invalid_output", "too_long"}
    assert all(line["rows"] == 1 and line["advice"] for line in failures.values())


def test_the_error_file_can_be_mended_and_fed_back(failing: Job, tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.input = "mended.jsonl"
    mended = (failing.folder / "out.errors.jsonl").read_text()
    for marker in ("FAIL:refused_request", "LENGTH", "INVALID"):
        mended = mended.replace(marker, "good")
    job.write("mended.jsonl", mended)
    assert job.run("--choice", "yes", engine="max_model_len=10").code == 3
    assert [list(record) for record in job.records()] == [["id", "text", "response"]] * 3
    assert [record["id"] for record in job.records()] == ["1", "2", "3"]
    [again] = job.errors()
    assert (again["id"], again["error"]["kind"]) == ("4", "too_long")
    assert (job.folder / "out.errors.jsonl").read_text().count('"error"') == 1


def test_the_error_file_goes_when_no_row_fails_any_more(job: Job) -> None:
    job.write("in.csv", "id,text\n1,FAIL:refused_request\n2,good\n")
    assert job.run().code == 3
    assert len(job.errors()) == 1
    job.write("in.csv", "id,text\n1,mended\n2,good\n")
    assert job.run().code == 0
    assert not (job.folder / "out.errors.jsonl").exists()
    assert len(job.records()) == 2


def test_an_answer_that_breaks_the_schema_is_not_accepted(job: Job) -> None:
    job.write("schema.json", json.dumps({"type": "object", "required": ["a"]}))
    finished = job.run("--schema", "schema.json")
    # The scripted engine leaves out what is required but not described.
    assert finished.code == 3
    assert job.output.read_bytes() == b""
    assert {record["error"]["kind"] for record in job.errors()} == {"invalid_output"}
    assert "'a' is a required property" in job.errors()[0]["error"]["message"]


def test_an_answer_that_takes_too_long_to_check_is_a_failure(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,good\n2,INVALID\n3,good\n")
    # Each letter fits in four ways, and all are tried before the answer is known not to fit.
    pattern = r"(?:\w|\w(?=.)|\w(?<=.)|\w(?!\n)| )*!"
    began = time.monotonic()
    done = quick.run("-q", "--regex", pattern, "--attempts", "1")
    assert time.monotonic() - began < 30
    assert done.code == 3
    (failed,) = quick.errors()
    assert failed["id"] == "2"
    assert failed["error"]["kind"] == "invalid_output"
    assert failed["error"]["message"] == "the check took longer than 2 s"
    assert [record["response"] for record in quick.records()] == ["!", "!"]
