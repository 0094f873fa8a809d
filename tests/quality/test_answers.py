"""Answers read from the store, and the same ones from an output of each format."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import export, output_file
from llmbatch.pipeline.tasks import registry
from llmbatch.quality import answer_file, answers
from llmbatch.quality.answer_form import AnswerForm, form_of
from llmbatch.quality.answers import RowAnswer
from llmbatch.store import results
from llmbatch.store.database import Database
from tests.reports import answered

FORMATS = ("jsonl", "csv", "tsv", "parquet", "xlsx", "duckdb")
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "n": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "any": {},
    },
    "additionalProperties": True,
}


def spec_of(**settings: Any) -> JobSpec:
    given = {"input": "in.jsonl", "output": "out.jsonl", "model": "m", "prompt": "{{ t }}"}
    return JobSpec.model_validate(given | settings)


def made(
    folder: Path, texts: Mapping[str, str | None], **settings: Any
) -> Iterator[tuple[Database, JobSpec]]:
    beside = {name: {"id": f"i-{name}", "response": "of the input"} for name in texts}
    with answered.store(folder) as db:
        answered.run(db, texts, settings, beside=beside)
        yield db, spec_of(**settings)


def written(db: Database, spec: JobSpec, path: Path) -> Path:
    changed = spec.model_copy(update={"output": str(path), "response_column": "said"})
    output = output_file.make(changed, registry.make(changed).columns)
    export.export_answers(db, output, results.counts(db))
    return path


def same(one: RowAnswer, other: RowAnswer) -> None:
    assert one.response == pytest.approx(other.response) or one.response == other.response
    assert one.confidence == other.confidence
    assert one.input["t"] == other.input["t"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_answers_of_a_file_are_those_of_the_store(format_name: str, tmp_path: Path) -> None:
    answer = {"id": "007", "n": 3, "tags": ["a", "b"], "any": "text", "more": 1.5}
    texts = {"one": json.dumps(answer), "two": json.dumps({"id": "x", "n": -1}), "three": "FAIL"}
    for db, spec in made(tmp_path, texts, answer={"schema": SCHEMA}):
        stored_rows = list(answers.of_store(db, form_of(spec)))
        path = written(db, spec, tmp_path / f"out.{format_name}")
        form = form_of(spec.model_copy(update={"response_column": "said"}))
        read = list(answer_file.of_file(path, form))
        assert [row.response for row in stored_rows] == [answer, {"id": "x", "n": -1}]
        found = [{k: v for k, v in row.response.items() if v is not None} for row in read]
        assert found == [row.response for row in stored_rows]
        assert [row.state for row in read] == ["answered", "answered"]


@pytest.mark.parametrize("format_name", ["jsonl", "csv", "parquet"])
def test_labels_come_with_their_confidence(format_name: str, tmp_path: Path) -> None:
    texts = {
        "one": json.dumps({"response": "a", "confidence": 0.75, "runner_up": "b"}),
        "two": json.dumps({"response": "b", "confidence": 0.5, "runner_up": "a"}),
    }
    for db, spec in made(tmp_path, texts, task="classify", classify={"labels": ["a", "b"]}):
        stored_rows = list(answers.of_store(db, form_of(spec)))
        path = written(db, spec, tmp_path / f"out.{format_name}")
        read = list(answer_file.of_file(path, AnswerForm(column="said"), id_column="id"))
        assert [(row.response, row.confidence) for row in read] == [("a", 0.75), ("b", 0.5)]
        assert [row.id for row in read] == ["i-one", "i-two"]
        for one, other in zip(read, stored_rows, strict=True):
            same(one, other)
            assert one.fields["runner_up"] == other.fields["runner_up"]


@pytest.mark.parametrize("format_name", ["jsonl", "csv", "parquet", "duckdb"])
def test_vectors_have_their_numbers(format_name: str, tmp_path: Path) -> None:
    from tests.quality.vectors import stored_vector

    for db, spec in made(tmp_path, {"one": stored_vector([1.0, 0.5])}, task="embed"):
        (kept,) = answers.of_store(db, form_of(spec))
        path = written(db, spec, tmp_path / f"out.{format_name}")
        form = form_of(spec.model_copy(update={"response_column": "said"}))
        (read,) = answer_file.of_file(path, form)
        assert kept.vector.tolist() == read.vector.tolist() == [1.0, 0.5]


def test_failed_rows_say_why_and_others_are_read_by_state(tmp_path: Path) -> None:
    texts = {"one": "yes", "two": "FAIL", "three": None, "four": "no"}
    for db, spec in made(tmp_path, texts):
        rows = list(answers.of_store(db, form_of(spec), answers.STATES))
        assert [row.state for row in rows] == ["answered", "failed", "pending", "answered"]
        assert [row.text for row in rows] == ["yes", None, None, "no"]
        assert rows[1].why == ("too_long", "too long")
        assert [len(each) for each in answers.windows(rows, 3)] == [3, 1]


def test_rows_that_were_kept_without_an_answer_have_none(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text('t,said,error\na,yes,\nb,,"too_long: too long (line 2)"\n')
    rows = list(answer_file.of_file(path, AnswerForm(column="said")))
    assert [(row.state, row.response, row.why) for row in rows] == [
        ("answered", "yes", None),
        ("failed", None, ("too_long", "too long (line 2)")),
    ]


def test_lines_of_a_batch_file_have_the_text_of_their_first_choice(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    choice = {"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}
    lines = [
        {"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [choice]}}},
        {"custom_id": "b", "response": None, "error": {"message": "too long"}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = list(answer_file.of_file(path, AnswerForm()))
    assert [(row.id, row.state, row.response) for row in found] == [
        ("a", "answered", "hello"),
        ("b", "failed", None),
    ]
    assert found[1].why == ("failed_elsewhere", "too long")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("t,answer\na,b\n", r"out\.csv: no column 'response'; columns: t, answer"),
        ('t,response\na,"b\n', r"out\.csv:2: "),
    ],
)
def test_a_file_that_is_no_output_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        list(answer_file.of_file(path, AnswerForm()))
