"""Several samples of a row, from the command line to the output."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from llmbatch.pipeline.prompts.keys import repetition_key, sample_key
from tests.cli.command import QuickJob

DRAWN = ("--temperature", "1", "--seed", "4")
LABELS = ("--choice", "a", "--choice", "b", "--choice", "c")


def assert_sound(job: QuickJob) -> None:
    checked = job.command("check", "out.jsonl")
    assert (checked.code, checked.stderr) == (0, ""), checked.stdout


def test_all_samples_are_in_the_output_and_more_are_computed_beside_them(job: QuickJob) -> None:
    assert job.run(*DRAWN).code == 0
    one = [record["response"] for record in job.records()]
    job.computed()
    assert job.run("--samples", "4", *DRAWN, "--meta", "--max-rows", "5").code == 4
    assert job.computed() == 5
    planned = job.command("plan", *job.arguments("--samples", "4", *DRAWN)[1:])
    assert "requests  12 distinct (0 duplicates of them): 4 samples of each row" in planned.stdout
    assert "reuse     8 settled already (2 rows)" in planned.stdout
    done = job.run("--samples", "4", *DRAWN, "--meta")
    assert (done.code, job.computed()) == (0, 4)
    assert "3 in = 3 answered" in done.stderr
    assert "12 different answers of 12 answers, since a row has 4 samples" in done.stderr
    records = job.records()
    assert [record["response"][0] for record in records] == one
    assert len({answer for record in records for answer in record["response"]}) == 12
    assert [record["output_tokens"] for record in records] == [8, 8, 8]
    report = job.report()
    assert (report["counts"]["answered"], report["requests"], report["samples"]) == (3, 12, 4)
    assert [run["rows"] for run in report["runs"]] == [3, 1, 1]
    assert_sound(job)


def test_samples_that_are_answered_elsewhere_have_seeds_of_their_own(job: QuickJob) -> None:
    assert job.run("--samples", "3", *DRAWN, "--output-format", "openai-batch").code == 0
    lines = job.records()
    seeds = {line["body"]["seed"] for line in lines}
    assert (len(lines), len({line["custom_id"] for line in lines}), len(seeds)) == (9, 9, 7)


def test_the_answer_of_most_samples(job: QuickJob) -> None:
    args = ("--samples", "5", *DRAWN, *LABELS)
    assert job.run(*args).code == 0
    lists = [record["response"] for record in job.records()]
    assert len(set(map(tuple, lists))) > 1
    assert job.command("export", "out.jsonl", "-o", "t.csv").code == 0
    with (job.folder / "t.csv").open() as stream:
        assert [json.loads(row["response"]) for row in csv.DictReader(stream)] == lists
    job.computed()
    assert job.run(*args, "--vote", "--meta").code == 0
    assert job.computed() == 0
    for record, answers in zip(job.records(), lists, strict=True):
        assert record["response"] == max(answers, key=answers.count)
        assert record["agreement"] == answers.count(record["response"]) / 5
        assert sum(vote["samples"] for vote in record["votes"]) == 5


def test_the_answer_of_most_samples_is_spread_over_the_columns_of_its_schema(job: QuickJob) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    job.write("s.json", json.dumps(schema))
    args = ("--samples", "3", *DRAWN, "--schema", "s.json", "-o", "t.parquet")
    assert job.run(*args, "--vote").code == 0
    table = pq.read_table(job.folder / "t.parquet")
    assert table.column("n").to_pylist() == [0, 0, 0]
    assert table.column("agreement").to_pylist() == [1.0, 1.0, 1.0]


def test_a_row_with_a_failed_sample_has_failed(job: QuickJob) -> None:
    """With an even seed the first sample is answered, and some of the others are not. Two rows that
    are equal share their samples."""
    job.write("in.csv", "id,text\n1,FAIL_ODD:too_long\n2,good\n3,good\n")
    args = ("--samples", "8", *DRAWN)
    assert job.run(*args).code == 3
    assert job.computed() == 16
    (error,) = job.errors()
    assert error["error"]["kind"] == "too_long"
    assert error["error"]["message"].startswith("scripted failure (")
    assert error["error"]["message"].endswith(" of 8 samples failed)")
    assert job.report()["duplicates"]["rows"] == 1
    first, second = (record["response"] for record in job.records())
    assert first == second
    assert job.run(*args, "--vote").code == 0
    voted, *whole = job.records()
    assert 0 < voted["agreement"] < 1
    assert [record["agreement"] for record in whole] == [1 / 8, 1 / 8]
    assert "1 row reopened" in job.command("retry", "out.jsonl").stderr
    done = job.run(*args, "--vote", "--expect-reuse", "95%")
    assert "2 of 3 rows (92 %) are answered already" in done.stderr
    assert_sound(job)


def test_the_numbers_of_samples_and_of_repetitions_never_meet() -> None:
    key = "a" * 32
    keys = [
        made if number == 0 else repetition_key(made, number)
        for number in range(20)
        for made in [sample_key(key, sample) for sample in range(20)]
    ]
    assert len(set(keys)) == 400
    assert keys[0] == key


@pytest.mark.parametrize("command", ["run", "plan"])
def test_samples_without_a_draw_are_refused(job: QuickJob, command: str) -> None:
    _, *arguments = job.arguments("--samples", "3")
    done = job.command(command, *arguments)
    assert done.code == 2
    assert "temperature 0 all 3 samples of a row would be the same answer" in done.stderr
    assert not job.state.exists()
