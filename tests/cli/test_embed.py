"""Texts become vectors from the command line, in each form of output."""

import json
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmbatch.cli.commands.export import write_answers
from tests.cli.command import QuickJob

ROWS = "id,text\n1,hello\n2,\n3,a ticket\n4,hello\n"
JOB = ("in.csv", "-o", "out.jsonl", "-m", "m", "-p", "{{ text }}", "--task", "embed")
ENGINE = ("--engine", "tests.scripted_engine:create")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, forks: Any) -> QuickJob:
    job = QuickJob(tmp_path_factory.mktemp("embed"), forks)
    job.write("in.csv", ROWS)
    finished = job.command("run", *JOB, *ENGINE)
    assert finished.code == 0, finished.stderr
    assert "4 in = 3 answered + 0 failed + 0 rejected + 1 skipped" in finished.stderr
    return job


@pytest.fixture(scope="module")
def expected(done: QuickJob) -> list[Any]:
    return [record["response"] for record in done.records()]


def test_an_empty_text_has_no_vector(done: QuickJob, expected: list[Any]) -> None:
    assert [record["id"] for record in done.records()] == ["1", "3", "4"]
    assert {len(vector) for vector in expected} == {8}
    assert expected[0] == expected[2] != expected[1]


def rounded(vectors: list[Any]) -> list[Any]:
    return pa.array(vectors, pa.list_(pa.float32())).to_pylist()  # type: ignore[no-any-return]


def test_parquet_has_lists_of_a_fixed_size(done: QuickJob, expected: list[Any]) -> None:
    write_answers(done.output, done.folder / "o.parquet")
    found = pq.read_table(done.folder / "o.parquet")["response"]
    assert found.type == pa.list_(pa.float32(), 8)
    assert found.to_pylist() == rounded(expected)


def test_what_became_of_long_texts_stands_beside_the_vectors(
    done: QuickJob, expected: list[Any]
) -> None:
    more = ("--overflow", "split", "-o", "s.parquet", "--vector-dtype", "float16")
    assert done.command("run", *JOB, *ENGINE, *more).code == 0
    found = pq.read_table(done.folder / "s.parquet")
    assert found.column_names == ["id", "text", "response", "parts"]
    assert found["response"].type == pa.list_(pa.float16(), 8)
    assert found["parts"].to_pylist() == [1, 1, 1]
    halves = np.array(found["response"].to_pylist())
    assert np.abs(halves - np.array(expected)).max() < 1e-3


def test_a_matrix_has_its_rows_beside_it(done: QuickJob, expected: list[Any]) -> None:
    write_answers(done.output, done.folder / "o.npy")
    assert np.load(done.folder / "o.npy").tolist() == rounded(expected)
    beside = (done.folder / "o.ids.csv").read_text().splitlines()
    assert beside == ["id,text", "1,hello", "3,a ticket", "4,hello"]


def test_a_matrix_is_for_vectors_and_replaces_no_rows_of_others(done: QuickJob) -> None:
    done.write("p.ids.csv", "somebody's")
    refused = done.command("run", *JOB, *ENGINE, "-o", "p.npy", "--state", "s")
    assert (refused.code, refused.error.partition(":")[0]) == (2, "p.ids.csv")
    texts = [*JOB[:-2], *ENGINE, "-o", "t.npy", "--state", "t"]
    refused = done.command("run", *texts)
    assert (refused.code, "for --task embed" in refused.error) == (2, True)


def test_a_report_shows_the_first_numbers(done: QuickJob, expected: list[Any]) -> None:
    answers = done.report()["answers"]
    first = ", ".join(f"{number:.4f}" for number in expected[0][:3])
    assert answers["most_common"] == {"value": f"[{first}, ...]", "rows": 2}
    assert answers["distributions"] == []


def test_csv_and_a_database_have_the_same_numbers(done: QuickJob, expected: list[Any]) -> None:
    write_answers(done.output, done.folder / "o.csv")
    write_answers(done.output, done.folder / "o.duckdb")
    lines = duckdb.read_csv(str(done.folder / "o.csv"), all_varchar=True).fetchall()
    assert [json.loads(row[-1]) for row in lines] == expected
    with duckdb.connect(str(done.folder / "o.duckdb")) as database:
        found = database.execute("SELECT response, typeof(response) FROM answers").fetchall()
    assert {kind for _, kind in found} == {"FLOAT[8]"}
    assert [list(vector) for vector, _ in found] == rounded(expected)


def test_a_try_shows_the_first_numbers(done: QuickJob, expected: list[Any]) -> None:
    tried = done.command("try", *JOB, *ENGINE, "--rows", "4")
    shown = ", ".join(f"{number:.4f}" for number in expected[0][:3])
    assert f"answer  [{shown}, ...]" in tried.stdout
