"""Outputs as their readers want them: rows, columns, formats, and the place where they go."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest

from llmbatch.cli.commands.export import write_answers
from llmbatch.core.errors import UsageError
from tests.cli.command import QuickJob

BIG = 12345678901234567890123
ROWS = [
    '{"id": 1, "text": "one", "p": 1.5, "b": true, "n": 7, "m": 1}',
    '{"id": 2, "text": null, "p": 2, "b": false, "n": 8}',
    '{"id": 3, "text": "FAIL:x", "p": -7, "b": null, "n": 9, "m": "1"}',
    "no JSON",
    f'{{"id": 4, "text": "=four", "p": 1e3, "n": {BIG}, "m": [1]}}',
]
ALL = ("--keep", "failed,skipped,rejected")
BAD_LINE = "rejected: invalid JSON at column 1: invalid literal, expected 'null' (line 4)"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, forks: Any) -> QuickJob:
    """A job with a row of each state that has run once."""
    job = QuickJob(tmp_path_factory.mktemp("tables"), forks)
    job.input = "in.jsonl"
    job.write("in.jsonl", "\n".join(ROWS) + "\n")
    assert job.run("-p", "{{ text }}", *ALL).code == 3
    return job


def export(job: QuickJob, name: str, **more: Any) -> Path:
    """An export in this process."""
    path = job.folder / name
    write_answers(job.output, path, **more)
    return path


def refused(job: QuickJob, name: str, **more: Any) -> str:
    with pytest.raises(UsageError) as caught:
        export(job, name, **more)
    return str(caught.value)


def test_all_rows_of_the_input_are_kept_in_its_order(done: QuickJob) -> None:
    records = done.records()
    assert [record.get("id") for record in records] == [1, 2, 3, None, 4]
    kinds = [record["error"] and record["error"]["kind"] for record in records]
    assert kinds == [None, "skipped", "x", "rejected", None]
    assert records[3]["error"]["line"] == 4
    assert [record["raw"] for record in records] == [None, None, None, "no JSON", None]
    assert [record["response"] is None for record in records] == [False, True, True, True, False]
    # The error file has what it always had.
    assert [error["error"]["kind"] for error in done.errors()] == ["x", "rejected"]


def test_a_table_says_the_error_in_words(done: QuickJob) -> None:
    path = export(done, "all.csv", keep="rejected,failed")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["id"] for row in rows] == ["1", "3", "", "4"]
    assert [row["error"] for row in rows] == ["", "x: scripted failure", BAD_LINE, ""]
    assert [row["raw"] for row in rows] == ["", "", "no JSON", ""]
    # As before there is no such column where only skipped rows are kept.
    kept = export(done, "kept.csv", keep="skipped").read_text().splitlines()
    assert (kept[0].split(",")[-1], len(kept)) == ("response", 1 + 3)
    assert "failed" in refused(done, "x.csv", keep="faild")


def test_the_failed_rows_alone(done: QuickJob) -> None:
    path = export(done, "failed.csv", only="failed", columns="error,id")
    assert path.read_text().splitlines() == [
        "error,id", "x: scripted failure,3", f'"{BAD_LINE}",',
    ]  # fmt: skip
    assert export(done, "failed.csv", only="failed", columns="error,id") == path  # it is ours
    lines = export(done, "failed.jsonl", only="failed").read_text().splitlines()
    assert [json.loads(line)["error"]["kind"] for line in lines] == ["x", "rejected"]


def test_columns_are_chosen_and_ordered(done: QuickJob) -> None:
    path = export(done, "some.jsonl", columns="finish_reason,id,response")
    first = json.loads(path.read_text().splitlines()[0])
    assert list(first) == ["finish_reason", "id", "response"]
    assert first["finish_reason"] == "stop"
    said = refused(done, "x.csv", columns="id,respnse")
    assert "no column 'respnse' (did you mean 'response'?)" in said
    assert "id, text, p, b, n, m, response" in said
    assert "with --keep failed" in refused(done, "x.csv", columns="error")
    assert "names one twice" in refused(done, "x.csv", columns="id,id")


def test_a_run_writes_the_columns_that_it_is_told(quick: QuickJob) -> None:
    assert quick.run("--columns", "response,id", "-o", "o.csv").code == 0
    lines = (quick.folder / "o.csv").read_text().splitlines()
    assert (lines[0], lines[1].split(",")[1]) == ("response,id", "1")
    quick.computed()
    before = quick.names()
    said = quick.run("--columns", "response,idd", "-o", "other.csv")
    assert (said.code, "did you mean 'id'?" in said.error) == (2, True)
    assert (quick.names(), quick.computed()) == (before, 0)


def test_a_condition_sees_the_columns_of_the_output(done: QuickJob) -> None:
    def ids(where: str, **more: Any) -> list[int]:
        path = export(done, "where.jsonl", where=where, **more)
        return [json.loads(line).get("id") for line in path.read_text().splitlines()]

    assert ids("p > 2") == [4]
    assert ids("response LIKE 'answer%' -- a remark") == [1, 4]
    assert ids("error LIKE '%scripted%' OR raw = 'no JSON'", keep="failed,rejected") == [3, None]
    assert ids("b", columns="id") == [1]
    # More rows than the condition sees at a time.
    assert "where: " in refused(done, "x.csv", where="nope = 1")
    assert "semicolon" in refused(done, "x.csv", where="true); SELECT (1")


@pytest.mark.parametrize(
    "where",
    ["id IN (FROM read_csv('in.jsonl'))", "getenv('HOME') = 'x'", "p = (SELECT 1 FROM rows)"],
)
def test_a_condition_reads_nothing_else(done: QuickJob, where: str) -> None:
    assert refused(done, "x.csv", where=where).startswith("where: ")
    assert not (done.folder / "x.csv").exists()


def test_input_columns_have_their_types(done: QuickJob) -> None:
    table = pq.read_table(export(done, "t.parquet"))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "id": "int64", "text": "string", "p": "double", "b": "bool", "n": "string", "m": "string",
        "response": "string",
    }  # fmt: skip
    rows = table.to_pylist()
    assert [row["p"] for row in rows] == [1.5, 1000.0]
    assert [row["n"] for row in rows] == ["7", str(BIG)]
    assert [row["m"] for row in rows] == ["1", "[1]"]


def test_a_table_in_a_database_is_replaced_and_the_others_stay(done: QuickJob) -> None:
    path = export(done, "o.duckdb", keep="failed")
    with duckdb.connect(path) as database:
        assert database.sql("SELECT id, error FROM answers ORDER BY id").fetchall() == [
            (1, None), (3, "x: scripted failure"), (4, None),
        ]  # fmt: skip
        database.execute("CREATE TABLE mine AS SELECT 1 AS a")
    export(done, "o.duckdb", table='odd "name"', columns="id")
    export(done, "o.duckdb")
    assert "not written by llmbatch" in refused(done, "o.duckdb", table="mine")
    with duckdb.connect(path) as database:
        assert database.sql("SHOW TABLES").fetchall() == [("answers",), ("mine",), ('odd "name"',)]
        assert database.sql("SELECT count(*) FROM answers").fetchall() == [(2,)]
        assert database.sql("FROM mine").fetchall() == [(1,)]
    export(done, "o.duckdb", table="mine", overwrite=True)
    done.write("no.duckdb", "not of DuckDB")
    assert "cannot be used as a DuckDB file" in refused(done, "no.duckdb")
    assert not [name for name in done.names() if name.endswith(".partial")]


def test_a_workbook_has_text_numbers_and_no_formulas(done: QuickJob) -> None:
    path = export(done, "o.xlsx", keep="failed")
    for _ in range(2):  # it is ours, and replaced
        export(done, "o.xlsx", keep="failed")
    header, first, *_, last = openpyxl.load_workbook(path).worksheets[0].iter_rows()
    assert [cell.value for cell in header] == [
        "id", "text", "p", "b", "n", "m", "response", "error", "raw",
    ][:-1]  # fmt: skip
    assert [cell.value for cell in first][:5] == [1, "one", 1.5, True, "7"]
    assert (last[1].value, last[1].data_type, last[4].value) == ("=four", "s", str(BIG))


def test_csv_for_excel(done: QuickJob) -> None:
    content = export(done, "excel.csv", excel=True).read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,text,")
    assert b"\n4,'=four,1e3," in content
    assert "for .csv and .tsv output, not for xlsx" in refused(done, "x.xlsx", excel=True)


def test_standard_output_has_the_rows_alone(quick: QuickJob) -> None:
    ended = quick.run("-o", "-", "--state", "st", "--output-format", "csv")
    assert ended.code == 0
    assert ended.stdout.splitlines()[0] == "id,text,response"
    assert len(ended.stdout.splitlines()) == 1 + 3
    assert "writing the output" in ended.stderr
    assert quick.names() == {"in.csv", "st"}
    exported = quick.command("export", "st", "-o", "-", "--columns", "id")
    assert exported.stdout.splitlines() == ['{"id":"1"}', '{"id":"2"}', '{"id":"3"}']
    assert exported.stderr == "llmbatch: 3 answered rows of 3 written to standard output\n"
    said = quick.run("-o", "-")
    assert (said.code, "name the folder with --state" in said.error) == (2, True)
    # What is not in the output is not lost.
    quick.write("in.csv", "id,text\n1,hello\n2,FAIL:x\n")
    ended = quick.run("-o", "-", "--state", "st")
    assert (ended.code, len(ended.stdout.splitlines())) == (3, 1)
    assert [error["id"] for error in quick.records("st.errors.jsonl")] == ["2"]
    assert "see st.errors.jsonl" in ended.stderr


def test_a_link_stays_and_its_target_is_written(quick: QuickJob) -> None:
    (quick.folder / "there").mkdir()
    links = ["out.jsonl", "out.errors.jsonl", "r.md", "x.csv", "m.prom"]
    for name in links:
        (quick.folder / name).symlink_to(f"there/{name}")
    quick.write("in.csv", "id,text\n1,hello\n2,FAIL:x\n")
    for _ in range(2):
        assert quick.run("-q", "--report", "r.md", "--metrics-file", "m.prom").code == 3
    export(quick, "x.csv")
    for name in links:
        assert (quick.folder / name).is_symlink(), name
        assert (quick.folder / "there" / name).is_file(), name
    assert sorted(path.name for path in (quick.folder / "there").iterdir()) == sorted(links)
    quick.write("in.csv", "id,text\n1,hello\n")
    assert quick.run().code == 0
    assert (quick.folder / "out.errors.jsonl").is_symlink()
    assert not (quick.folder / "out.errors.jsonl").exists()


def test_a_foreign_file_is_replaced_only_where_that_is_said(quick: QuickJob) -> None:
    foreign = '{"custom_id": "a", "response": {"body": {}}}\n'
    quick.write("out.jsonl", foreign)
    quick.write("r.md", foreign)
    refusal = quick.run()
    assert (refusal.code, "--overwrite replaces it" in refusal.error) == (2, True)
    assert quick.output.read_text() == foreign
    assert quick.computed() == 0
    assert quick.run("--overwrite", "--report", "r.md").code == 0
    assert len(quick.records()) == 3
    assert (quick.folder / "r.md").read_text() != foreign
    quick.write("x.csv", foreign)
    assert "--overwrite replaces it" in refused(quick, "x.csv")
    export(quick, "x.csv", overwrite=True)
    quick.write("r.txt", foreign)
    assert quick.command("report", "out.jsonl", "-o", "r.txt").code == 2
    assert quick.command("report", "out.jsonl", "-o", "r.txt", "--overwrite").code == 0


def test_csv_for_an_excel_that_writes_semicolons(quick: QuickJob) -> None:
    quick.write("in.csv", "id;text\n1;a, b\n2;c\n3;d\n".encode("utf-8-sig"))
    assert quick.run("-o", "o.csv", "--excel").code == 0
    lines = (quick.folder / "o.csv").read_bytes().splitlines()
    assert lines[0] == b"\xef\xbb\xbfid;text;response"
    assert lines[1].startswith(b"1;a, b;answer ")
