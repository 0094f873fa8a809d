"""Flags of rows: in the output, in the report, and as a choice of rows."""

import json
from typing import Any

import pytest

from tests.cli.command import QuickJob

ROWS = "id,text\n1,hello\n2,!?\n3,bye\n"


@pytest.fixture
def flagged(job: QuickJob) -> QuickJob:
    """A job of which the answer to the second row has no letter."""
    job.write("in.csv", ROWS)
    done = job.run("-p", "{{ text }}", "--meta", engine="answer=echo")
    assert done.code == 0, done.stderr
    return job


def exported(job: QuickJob, name: str, *more: str) -> list[dict[str, Any]]:
    done = job.command("export", "out.jsonl", "-o", name, *more)
    assert done.code == 0, done.stderr
    return job.records(name)


def test_flags_stand_beside_the_answers_of_their_rows(flagged: QuickJob) -> None:
    assert [record["flags"] for record in flagged.records()] == [[], ["empty"], []]
    assert flagged.command("export", "out.jsonl", "-o", "a.csv", "--columns", "id,flags").code == 0
    assert (flagged.folder / "a.csv").read_text() == 'id,flags\n1,""\n2,empty\n3,""\n'


def test_the_report_counts_them_and_names_a_row(flagged: QuickJob) -> None:
    report = json.loads((flagged.folder / "out.llmbatch/report.json").read_text())
    (signs,) = report["flags"]
    assert (signs["origin"], signs["rows"]) == ("sign", 1)
    assert signs["names"] == [
        {"name": "empty", "rows": 1, "id": "3", "line": 3, "detail": "no letter or digit"}
    ]
    text = flagged.command("report", "out.jsonl").stdout
    assert "signs       1 of 3 answered rows flagged: empty 1\n" in text


def test_rows_with_flags_are_exported_alone(flagged: QuickJob) -> None:
    chosen = exported(flagged, "f.jsonl", "--flagged")
    assert [(record["id"], record["flags"]) for record in chosen] == [("2", ["empty"])]
    named = exported(flagged, "g.jsonl", "--where", "'empty' IN flags")
    assert named == chosen
    others = exported(flagged, "h.jsonl", "--where", "NOT 'empty' IN flags", "--columns", "id")
    assert others == [{"id": "1"}, {"id": "3"}]
    done = flagged.command("export", "out.jsonl", "-o", "x.jsonl", "--flagged", "--failed")
    assert (done.code, "--failed writes no answers: leave --flagged out" in done.stderr) == (
        2,
        True,
    )
