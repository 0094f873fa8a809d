"""All that follows from a spec alone is made once, without a look at any file."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob


def make(**changes: Any) -> ReadyJob:
    table = {"input": "in.csv", "output": "out/a.jsonl", "model": "m", "prompt": "Say {{ t }}"}
    return ready_job.make(JobSpec.model_validate(table | changes))


def test_it_holds_what_the_spec_asks_for() -> None:
    job = make(answer={"choice": ["a", "b"]}, sampling={"seed": 7}, id_column="id", meta=True)
    assert job.paths.state == Path("out/a.llmbatch")
    assert (job.input.path, job.input.names, job.input.id_column) == (
        Path("in.csv"),
        ("in.csv",),
        "id",
    )
    assert (job.output.path, job.output.format_name) == (Path("out/a.jsonl"), "jsonl")
    assert (job.output.errors, job.output.meta) == (Path("out/a.errors.jsonl"), True)
    assert job.output.answer == job.task.columns
    assert (job.task.name, job.task.sampling.seed) == ("generate", 7)
    assert job.task.constraint is not None
    assert [one.content for one in job.prompt.render('{"t": "x"}')] == ["Say x"]


def test_stdin_has_no_path() -> None:
    assert make(input="-", input_format="csv").input.path is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        # Of several errors the first one is reported.
        ({"prompt": "{{", "answer": {"regex": "("}, "output": "o.doc"}, "prompt, line 1"),
        ({"answer": {"regex": "("}, "input": "-", "output": "o.doc"}, "regex"),
        ({"answer": {"schema": {"properties": []}}}, "is not a JSON Schema"),
        ({"input": "-", "output": "o.doc"}, "which format stdin has"),
        ({"output": "o.doc"}, "o.doc"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make(**changes)


def test_a_prompt_is_fitted_to_rows_without_another_compilation() -> None:
    job = make(prompt="{{ record }} {{ row }}", record_order="b,a")
    one = job.prompt.for_rows(("b", "a"))
    two = job.prompt.for_rows((), ["row"])
    data = '{"a": 1, "b": 2, "row": "mine"}'
    assert one.render(data)[0].content.startswith('{"b":2,"a":1')
    assert two.render(data)[0].content.endswith(" mine")
    assert job.prompt.render('{"a": 1, "b": 2}')[0].content.startswith('{"a":1,"b":2')
    assert one._parts is job.prompt._parts
