"""Rows without what the prompt needs are not asked, and are counted in every sum."""

import csv
import io
import json
import random

import duckdb
import pytest

from tests.cli.command import ENGINE, Job
from tests.cli.test_metrics import values

# Each of the four kinds, in every order.
ROWS = [
    '{"id": 1, "text": "one", "team": "A"}',
    '{"id": 2, "text": null, "team": "A"}',
    '{"id": 3, "text": "FAIL:x", "team": "A"}',
    "no JSON",
    '{"id": 4, "text": " ", "team": "B"}',
    '{"id": 5, "text": "five", "team": "B"}',
    '{"id": 6, "team": "C"}',
    '{"id": 7, "text": [], "team": "C"}',
]
COUNTS = {"answered": 2, "failed": 1, "rejected": 1, "skipped": 4, "pending": 0}
REASON = "all that the prompt would say of the row is empty (column text)"


@pytest.fixture
def rows(job: Job) -> Job:
    job.input = "in.jsonl"
    job.write("in.jsonl", "\n".join(ROWS) + "\n")
    return job


def test_they_are_in_every_sum(rows: Job) -> None:
    more = ("--metrics-file", "job.prom", "--report", "r.md", "--report", "r.html",
            "--attribute-by", "team", "--price-per-hour", "1")  # fmt: skip
    ended = rows.run(*more)
    assert ended.code == 3
    sums = "8 in = 2 answered + 1 failed + 1 rejected + 4 skipped"
    assert sums in ended.stderr
    assert f"4 not asked: {REASON}" in ended.stderr
    report = rows.report()
    assert report["counts"] == COUNTS
    assert report["rows_in"] == sum(COUNTS.values())
    assert report["skips"] == [{"reason": REASON, "rows": 4}]
    assert [line["rows"] for line in report["attribution"]["shares"]] == [2, 1]
    assert sum(line["answered"] + line["failed"] for line in report["rows_by_attempts"]) == 3
    assert values(rows)["rows"] == rows.status()["rows"] == COUNTS
    assert "4 skipped" in rows.command("status", "out.jsonl").stdout
    assert sums in rows.command("report", "out.jsonl").stdout
    assert "| 8 | 2 | 1 | 1 | 4 | 0 |" in (rows.folder / "r.md").read_text()
    page = (rows.folder / "r.html").read_text()
    assert "4 skipped" in page
    assert REASON in page
    folder = json.loads(rows.command("report", "--all", ".", "--format", "json").stdout)
    assert folder["jobs"][0]["counts"] == COUNTS
    assert rows.command("check", "out.jsonl").code == 0
    assert [record["id"] for record in rows.records()] == [1, 5]
    assert [error["error"]["kind"] for error in rows.errors()] == ["x", "rejected"]


def test_the_plan_tells_of_them(rows: Job) -> None:
    job = rows.arguments()[1:]
    told = rows.command("plan", *job)
    assert "8 in = 3 with a request + 0 that cannot be asked + 1 rejected + 4 skipped" in (
        told.stdout
    )
    assert f"skipped   4 not asked: {REASON}" in told.stdout
    plan = json.loads(rows.command("plan", *job, "--format", "json").stdout)
    assert (plan["skipped"], plan["skips"]) == (4, [{"reason": REASON, "rows": 4}])
    assert plan["first_messages"] == [["user", "Say one"]]


def test_they_alone_do_not_make_a_run_fail(rows: Job) -> None:
    rows.write("in.jsonl", "\n".join([ROWS[0], ROWS[1], ROWS[4]]) + "\n")
    ended = rows.run()
    assert ended.code == 0, ended.stderr
    assert not (rows.folder / "out.errors.jsonl").exists()
    # They come back once they hold something, and only they are computed.
    rows.write("in.jsonl", "\n".join([ROWS[0], ROWS[1].replace("null", '"two"'), ROWS[4]]) + "\n")
    assert rows.run().code == 0
    assert rows.computed() == 2
    assert [record["id"] for record in rows.records()] == [1, 2]


def test_a_run_that_asks_nothing_is_no_success(rows: Job) -> None:
    rows.write("in.jsonl", "\n".join([ROWS[1], ROWS[4]]) + "\n")
    ended = rows.run("--max-failed", "100%")
    assert ended.code == 3
    assert "no row was asked: all were skipped" in ended.stderr
    assert rows.records() == []
    rows.write("in.jsonl", "")
    assert "--min-rows 0" in rows.run().error
    assert rows.run("--min-rows", "0").code == 0


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_the_output_may_keep_them(rows: Job, form: str) -> None:
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}})
    rows.write("schema.json", schema)
    ended = rows.run("--keep", "skipped", "--schema", "schema.json", "--meta", "-o", f"o.{form}",
                     engine="answer=hash")  # fmt: skip
    assert ended.code == 3, ended.stderr
    path = rows.folder / f"o.{form}"
    relation = duckdb.sql(f"SELECT * FROM '{path}'")
    assert relation is not None
    found, names = relation.fetchall(), relation.columns
    assert [str(record[0]) for record in found] == list("124567")
    column = "response" if form == "jsonl" else "a"
    empty = {str(record[0]) for record in found if record[names.index(column)] is None}
    assert set("2467") <= empty
    asked = [str(record[0]) for record in found if record[names.index("request")]]
    assert asked == ["1", "5"]


def test_they_can_be_read_on_their_own(rows: Job) -> None:
    rows.run()
    done = rows.command("export", "out.jsonl", "--skipped", "-o", "left.csv")
    assert done.stderr.strip().endswith("4 skipped rows of 8 written to left.csv")
    left = list(csv.DictReader(io.StringIO((rows.folder / "left.csv").read_text())))
    assert [(row["id"], row["skipped"]) for row in left] == [(n, REASON) for n in "2467"]
    # It is a file of ours, which may be replaced.
    assert rows.command("export", "out.jsonl", "--skipped", "-o", "left.csv").code == 0
    assert rows.command("export", "out.jsonl", "--keep", "skipped", "-o", "all.jsonl").code == 0
    kept = [json.loads(line) for line in (rows.folder / "all.jsonl").read_text().splitlines()]
    assert [row["id"] for row in kept if row["response"] is None] == [2, 4, 6, 7]
    assert rows.command("export", "out.jsonl", "--skipped", "--meta", "-o", "x.csv").code == 2


def test_which_rows_are_asked_is_the_users_choice(rows: Job) -> None:
    assert rows.run("--ask-empty").code == 3
    # One has no such column at all: its prompt cannot be rendered.
    assert [error["error"]["kind"] for error in rows.errors()] == ["x", "rejected", "template"]
    assert rows.report()["counts"]["answered"] == 5
    assert rows.run("--ask-empty", "--require", "text", "--require", "team").code == 3
    assert rows.report()["counts"] == COUNTS
    assert rows.report()["skips"][0]["reason"] == "column text is empty"
    ended = rows.run("--require", "txt")
    assert (ended.code, "did you mean 'text'?" in ended.error) == (2, True)


def test_rows_in_are_the_four_kinds_whatever_they_are(rows: Job) -> None:
    draw = random.Random(3)
    lines = [draw.choice(ROWS).replace("one", f"one {draw.randrange(40)}") for _ in range(300)]
    rows.write("in.jsonl", "\n".join(lines) + "\n")
    rows.run("--keep", "skipped")
    counts = rows.report()["counts"]
    assert sum(counts.values()) == 300
    output = rows.records()
    assert counts["answered"] == sum(record["response"] is not None for record in output)
    assert counts["skipped"] == sum(record["response"] is None for record in output)
    assert counts["failed"] + counts["rejected"] == len(rows.errors())
    # Again: nothing is asked, and all is as it was.
    before = rows.output.read_bytes()
    assert rows.computed() > 0
    rows.run("--keep", "skipped")
    assert (rows.output.read_bytes(), rows.computed()) == (before, 0)


def test_a_prompt_that_asks_the_same_of_all_rows_is_refused(job: Job) -> None:
    ended = job.run("-p", "Classify {text}")
    assert ended.code == 2
    assert "uses no column of in.csv" in ended.error
    assert "{text} is plain text: did you mean {{ text }}?" in ended.error
    assert not job.state.exists()
    assert job.run("-p", "Say hello", "--constant-prompt").code == 0
    assert job.computed() == 1


def test_text_like_a_placeholder_is_told_of(job: Job) -> None:
    told = "prompt (ask.txt), line 2: {text} is plain text: did you mean {{ text }}?"
    job.write("ask.txt", "Row {{ id }}\nclassify {text}")
    ended = job.run("-p", "@ask.txt")
    assert ended.code == 0
    assert told in ended.stderr
    plan = job.command("plan", *job.arguments("-p", "@ask.txt")[1:])
    assert f"notice    {told}" in plan.stdout
    job.write("job.toml", 'input="in.csv"\noutput="o.jsonl"\nmodel="m"\nprompt="@bad.txt"\n')
    job.write("bad.txt", 'Like\n{{"a": 1}}')
    refused = job.command("plan", "job.toml", "--engine", ENGINE)
    assert refused.code == 2
    assert 'bad.txt), line 2: {{ begins a placeholder, and "a": 1 is none' in refused.error
