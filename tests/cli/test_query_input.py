"""Inputs by a query, and runs of some of the rows."""

from typing import Any

import pytest

from tests.cli.command import QuickJob

QUERY = "SELECT a.id, a.text, b.k FROM 'in.csv' a JOIN 'look.csv' b USING (id)"


@pytest.fixture
def job(tmp_path: Any, forks: Any) -> QuickJob:
    job = QuickJob(tmp_path, forks)
    job.write("in.csv", "id,text\n" + "".join(f"{n},word{n}\n" for n in range(1, 7)))
    return job


def query(job: QuickJob, text: str) -> Any:
    arguments = job.arguments("--sql", text, "-p", "{{ text }} {{ k }}")
    arguments.remove("in.csv")
    return job.command(*arguments)


def test_a_join_is_an_input_and_its_change_is_noticed(job: QuickJob) -> None:
    job.write("look.csv", "id,k\n1,x\n2,y\n")
    assert query(job, QUERY).code == 0
    assert [(one["id"], one["k"]) for one in job.records()] == [(1, "x"), (2, "y")]
    assert job.computed() == 2
    job.write("look.csv", "id,k\n3,z\n1,x\n2,y\n")
    assert query(job, QUERY).code == 0
    assert ([one["id"] for one in job.records()], job.computed()) == ([1, 2, 3], 1)


def test_a_query_that_writes_is_refused_and_leaves_nothing(job: QuickJob) -> None:
    before = job.names()
    refused = query(job, "COPY (SELECT 1) TO 'w.csv'")
    assert (refused.code, refused.error) == (
        2,
        "query: COPY is not allowed: a query only reads (SELECT, after ATTACH)",
    )
    assert job.names() == before


def test_paths_of_a_job_file_start_at_its_folder(job: QuickJob) -> None:
    job.write("sub/job.toml", "[input]\nsql = \"SELECT * FROM '../in.csv' WHERE id < 3\"\n")
    arguments = job.arguments()
    arguments[arguments.index("in.csv")] = "sub/job.toml"
    assert job.command(*arguments).code == 0
    assert [one["id"] for one in job.records()] == [1, 2]


def test_a_part_is_told_and_the_rest_follows_without_paying_twice(job: QuickJob) -> None:
    part = job.run("--limit", "2", "--offset", "1")
    assert (part.code, [one["id"] for one in job.records()]) == (0, ["2", "3"])
    assert "in.csv: only 2 of its 6 rows are taken (--offset 1 --limit 2)" in part.stderr
    assert job.computed() == 2
    assert job.run().code == 0
    assert (len(job.records()), job.computed()) == (6, 4)


def test_an_output_of_all_rows_is_not_replaced_by_that_of_some(job: QuickJob) -> None:
    assert job.run().code == 0
    whole = job.records()
    refused = job.run("--where", "id = '1'")
    assert refused.code == 2
    assert "out.jsonl: holds the answers to all rows, and --where id = '1' would" in refused.error
    assert "-o FILE --state out.llmbatch" in refused.error
    assert job.records() == whole
    beside = job.run("--where", "id = '1'", "-o", "part.jsonl", "--state", "out.llmbatch")
    assert (beside.code, len(job.records("part.jsonl"))) == (0, 1)
    job.computed()
    assert job.run("--limit", "1", "--overwrite").code == 0
    assert (len(job.records()), job.computed()) == (1, 0)


def test_a_table_in_another_encoding_is_named_with_the_cure(job: QuickJob) -> None:
    job.write("land.csv", "id;land\r\n1;Österreich\r\n".encode("cp1252"))
    refused = query(job, "SELECT * FROM 'land.csv'")
    assert refused.code == 2
    assert "land.csv" in refused.error
    assert "encoding = 'latin-1'" in refused.error
