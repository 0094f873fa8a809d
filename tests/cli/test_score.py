"""Pairs are scored from the command line, and the best of each query written."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli.commands.export import write_answers
from tests.cli.command import QuickJob

ROWS = "id,q,d\n1,who,me\n2,who,you\n3,where,here\n4,where,\n5,where,FAIL:x\n6,where,there\n"
SCORED = ("--task", "score", "--query", "{{ q }}", "--document", "{{ d }}")


def arguments(*more: str) -> list[str]:
    usual = ["in.csv", "-o", "out.jsonl", "-m", "m", "--id-column", "id", *SCORED]
    engine = ["--engine", "tests.scripted_engine:create", "--engine-arg", "pooling=raw"]
    return [*usual, *engine, *more]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, forks: Any) -> QuickJob:
    """A job that has written the best pair of each query."""
    job = QuickJob(tmp_path_factory.mktemp("score"), forks)
    job.write("in.csv", ROWS)
    finished = job.command("run", *arguments("--top", "1"))
    assert finished.code == 3
    job.write("stderr", finished.stderr)
    return job


def test_the_best_of_each_query_is_written_and_the_others_are_counted(done: QuickJob) -> None:
    records = done.records()
    assert [(record["q"], record["rank"]) for record in records] == [("who", 1), ("where", 1)]
    assert {record["score_kind"] for record in records} == {"raw"}
    said = (done.folder / "stderr").read_text()
    assert "6 in = 4 answered + 1 failed + 0 rejected + 1 skipped" in said
    of = "the best one of each of 2 groups of rows with the same query; 2 others are not (--top)"
    assert f"2 of the answered ones are written, {of}" in said
    assert [record["id"] for record in done.errors()] == ["5"]


def test_the_report_says_what_the_scores_are(done: QuickJob) -> None:
    report = done.report()
    ranking = {"group_by": None, "top": 1, "groups": 2, "written": 2, "left_out": 2}
    assert report["ranking"] == ranking
    of = {each["member"]: each for each in report["answers"]["distributions"]}
    assert of["response"]["kind"] == "numbers"
    assert of["score_kind"]["values"] == [{"value": "raw", "rows": 4}]


def test_an_export_has_the_best_too_and_says_what_it_leaves_out(done: QuickJob) -> None:
    path = done.folder / "best.csv"
    said = write_answers(done.output, path, columns="id,rank")
    assert said.startswith("2 answered rows of 6 written to ")
    assert said.endswith("(2 answered and not among the best: --top)")
    assert path.read_text().splitlines()[0] == "id,rank"


def test_templates_stand_in_files_and_what_is_written_changes_no_answer(job: QuickJob) -> None:
    job.write("in.csv", ROWS)
    job.write("document.txt", "{{ d }}")
    job.write(
        "job.toml",
        'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\ntask = "score"\n'
        '[score]\nquery = "{{ q }}"\ndocument = "@document.txt"\ntop = 1\n'
        f'[engine]\nledger = "{job.folder / "ledger"}"\n',
    )
    engine = ("--engine", "tests.scripted_engine:create")
    assert job.command("run", "job.toml", *engine).code == 3
    assert job.computed() == 5
    assert len(job.records()) == 2
    assert job.command("run", "job.toml", *engine, "--top", "5").code == 3
    assert (job.computed(), len(job.records())) == (0, 4)
    refused = job.command("run", "job.toml", *engine, "--document", "{{ e }}")
    assert (refused.code, refused.error[:24]) == (2, "document: no column 'e' ")
    job.write("document.txt", "{{ d")
    refused = job.command("plan", "job.toml", *engine)
    assert refused.error.startswith(f"document ({Path('document.txt')}), line 1: ")


def test_a_plan_shows_the_first_pair_and_what_its_score_is(done: QuickJob) -> None:
    shown = done.command("plan", *arguments("--top", "2", "--format", "json"))
    plan = json.loads(shown.stdout)
    assert plan["first_messages"] == [["query", "who"], ["document", "me"]]
    assert (plan["skipped"], plan["requests"], plan["pooling"]["output"]) == (1, 5, "raw")
    text = done.command("plan", *arguments("--top", "2", "--group-by", "q")).stdout
    assert "numbers   raw: the model's number as it is\n" in text
    said = "all rows are scored, and the best 2 of each group of rows with the same q written"
    assert f"notice    {said} (--top)\n" in text
