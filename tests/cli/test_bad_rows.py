"""Odd and damaged rows: what can be used is answered, the rest is rejected by line and reason."""

import json

import pytest

from tests.cli.command import Finished, Job


def rejects(job: Job) -> list[tuple[int, str]]:
    """The rejected rows as (line, reason)."""
    return [
        (record["line"], record["error"]["message"])
        for record in job.errors()
        if record["error"]["kind"] == "rejected"
    ]


def assert_all_accounted_for(job: Job, finished: Finished, rows: int) -> None:
    """Rows in = answered + failed + rejected + skipped, in the report and in the files."""
    counts = job.report()["counts"]
    assert counts["pending"] == 0
    assert counts["answered"] + counts["failed"] + counts["rejected"] + counts["skipped"] == rows
    assert counts["answered"] == len(job.records())
    assert counts["failed"] + counts["rejected"] == len(job.errors())
    assert f"{rows} in = {counts['answered']} answered" in finished.stderr


def test_damaged_csv_rows_are_rejected_and_the_others_answered(job: Job) -> None:
    job.write(
        "in.csv",
        b"id,text\n"
        b"1,good\n"
        b"2\n"  # line 3: too few fields
        b"3,a,b\n"  # too many
        b"4,nul\0byte\n"
        b"5,caf\xe9\n"
        b",no id\n"
        b'6,"two\nlines"\n'  # lines 8 and 9: fine
        b"1,again\n"
        b'7,"never closed\n'
        b"8,good\n",
    )
    finished = job.run("--id-column", "id", "--encoding", "utf-8")
    assert finished.code == 3
    assert [record["id"] for record in job.records()] == ["1", "6", "8"]
    assert rejects(job) == [
        (3, "1 field where the header has 2"),
        (4, "3 fields where the header has 2"),
        (5, "NUL byte"),
        (6, "invalid UTF-8 at byte 6"),
        (7, "no id in column 'id'"),
        (10, "duplicate id '1' (first on line 2)"),
        (11, "unclosed quote"),
    ]
    assert job.errors()[0]["raw"] == "2"
    assert_all_accounted_for(job, finished, rows=10)


def test_damaged_jsonl_rows_are_rejected_and_the_others_answered(job: Job) -> None:
    job.input = "in.jsonl"
    job.write(
        "in.jsonl",
        b'{"id": 1, "text": "good"}\n'
        b'{"id": 2, "text": "cut off\n'
        b'["a", "list"]\n'
        b'{"id": 3, "text": "caf\xe9"}\n'
        b'{"text": "no id"}\n'
        b"\n"
        b'{"id": "1", "text": "again"}\n'
        b'{"id": 4, "txt": "no text"}\n'
        b'{"id": 5, "text": "good"}\n',
    )
    finished = job.run("--id-column", "id", "--encoding", "utf-8")
    assert finished.code == 3
    assert [record["id"] for record in job.records()] == [1, 5]
    assert [line for line, _ in rejects(job)] == [2, 3, 4, 5, 7]
    reasons = " | ".join(reason for _, reason in rejects(job))
    for word in ("invalid JSON", "an array", "invalid UTF-8", "no id", "duplicate id '1'"):
        assert word in reasons
    assert job.report()["counts"]["skipped"] == 1  # id 4
    assert_all_accounted_for(job, finished, rows=8)


def test_an_input_of_which_every_row_is_rejected_is_refused(job: Job) -> None:
    job.input = "in.jsonl"
    job.write("in.jsonl", "no\nnot\nnever\n")
    finished = job.run()
    assert finished.code == 2
    assert finished.error.startswith("in.jsonl: all 3 rows are rejected: invalid JSON at column")
    assert not job.output.exists()


@pytest.mark.parametrize(
    ("input", "content", "output", "written"),
    [
        ("in.jsonl", "", "out.jsonl", b""),
        ("in.csv", "id,text\n", "out.jsonl", b""),
        ("in.csv", "id,text\n", "out.csv", b"id,text,response\n"),
    ],
)
def test_an_input_without_rows_is_done_at_once(
    job: Job, input: str, content: str, output: str, written: bytes
) -> None:
    job.input = input
    job.write(input, content)
    finished = job.run("-o", output)
    assert finished.code == 0
    assert (job.folder / output).read_bytes() == written
    assert job.computed() == 0


def test_a_byte_order_mark_and_a_huge_cell_are_no_trouble(job: Job) -> None:
    huge = "x" * 5_000_000
    job.write("in.csv", f"\ufeffid,text\r\n1,{huge}\r\n2,small\r\n")
    assert job.run().code == 0
    first, second = job.records()
    assert (first["id"], first["text"]) == ("1", huge)
    assert list(second) == ["id", "text", "response"]
    assert json.dumps(second["text"]) == '"small"'
