"""A user's query reads files and databases, and does nothing else."""

import io
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from llmbatch.store.query_child import QueryRequest, answer
from llmbatch.store.query_errors import QueryError


class Bench:
    """A folder with some files, and the queries over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "a.csv").write_text("id,x\n1,b\n2,a\n3,c\n")

    def table(self, text: str, id_column: str | None = None) -> pa.Table:
        closed, temporary = (str(self.folder / "state"),), str(self.folder / "tmp")
        out = io.BytesIO()
        answer(QueryRequest(text, str(self.folder), closed, id_column, "500MB", temporary, 60), out)
        return pa.ipc.open_stream(out.getvalue()).read_all()

    def rows(self, text: str, id_column: str | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table(text, id_column).to_pylist()
        return rows

    def database(self, name: str) -> None:
        with duckdb.connect(str(self.folder / name)) as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS a")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


REFUSED = [
    ("COPY (SELECT 1) TO 'w.csv'", "COPY is not allowed"),
    ("WITH x AS (COPY (SELECT 1) TO 'w.csv') FROM x", "COPY is not allowed|needs a SELECT"),
    ("EXPORT DATABASE 'w'", "EXPORT is not allowed"),
    ("CREATE TABLE t AS SELECT 1", "CREATE is not allowed"),
    ("SET threads = 3; SELECT 1", "SET is not allowed"),
    ("LOAD httpfs", "LOAD is not allowed"),
    ("INSTALL httpfs", "LOAD is not allowed|INSTALL is not allowed"),
    ("DETACH a; SELECT 1", "DETACH is not allowed"),
    ("SELECT 1; SELECT 2", "one SELECT"),
    ("", "one SELECT"),
    ("FROM enable_logging()", "table function enable_logging is not allowed"),
    ("FROM query('SELECT 1')", "table function query is not allowed"),
    ("SELECT write_log('a')", "function write_log is not allowed"),
    ("FROM 'https://example.org/a.csv'", "reads local files only"),
    ("ATTACH 'z.duckdb' AS z (READ_ONLY false); FROM z.t", r"ATTACH \(READ_ONLY false\) is not"),
    ("ATTACH 'https://example.org/z.duckdb' AS z; FROM z.t", "no such file"),
    ("ATTACH 'new.duckdb' AS z; SELECT 1", "ATTACH new.duckdb: no such file"),
    ("ATTACH 'state/job.duckdb' AS z; FROM z.t", "is the job's own store"),
    ("FROM 'state/job.duckdb'", "the job's own state folder"),
    ("FROM read_blob('state/job.duckdb')", "the job's own state folder"),
    ("FROM bench", "bench does not exist"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_does_more_than_to_read_is_refused(bench: Bench, text: str, reason: str) -> None:
    bench.database("z.duckdb")
    bench.database("state/job.duckdb")
    before = {path.name for path in bench.folder.rglob("*")}
    with pytest.raises(QueryError, match=reason) as caught:
        bench.rows(text)
    assert "\n" not in str(caught.value)
    assert {path.name for path in bench.folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SELEC 1", "line 1, column 1"),
        ("SELECT\n  foo\nFROM 'a.csv'", "line 2, column 3"),
        ("SELECT 'ä', x::INT FROM 'a.csv'", "line 1, column 14"),
        ("ATTACH 'z.duckdb' AS z;\nFROM z.nope", "line 2, column 6"),
    ],
)
def test_an_error_says_where(bench: Bench, text: str, place: str) -> None:
    bench.database("z.duckdb")
    with pytest.raises(QueryError, match=place) as caught:
        bench.rows(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("SELECT x, id FROM 'a.csv'", [2, 1, 3]),
        ("FROM 'a.csv' ORDER BY x DESC", [3, 1, 2]),
        ("FROM 'a.csv' ORDER BY id % 2 DESC", [1, 3, 2]),
        ("FROM 'a.csv' ORDER BY id % 2 DESC LIMIT 2", [1, 3]),
        ("SELECT x, id FROM 'a.csv' LIMIT 2", [2, 1]),
        ("SELECT DISTINCT ON (id % 2) id FROM 'a.csv'", [1, 2]),
        ("SELECT id FROM 'a.csv' UNION ALL SELECT 0 ORDER BY id DESC", [3, 2, 1, 0]),
        ("FROM 'a.csv' ORDER BY ALL DESC", [3, 2, 1]),
    ],
)
def test_the_same_rows_have_the_same_order(bench: Bench, text: str, ids: list[int]) -> None:
    assert [row["id"] for row in bench.rows(text)] == ids


def test_rows_without_an_order_are_in_that_of_their_ids(bench: Bench) -> None:
    assert [row["id"] for row in bench.rows("SELECT x, id FROM 'a.csv'", "id")] == [1, 2, 3]


def test_equal_rows_come_in_one_order_however_the_file_has_them(bench: Bench) -> None:
    text = "SELECT id % 2 AS a, x FROM 'a.csv' ORDER BY a"
    first = bench.rows(text)
    (bench.folder / "a.csv").write_text("id,x\n3,c\n2,a\n1,b\n")
    assert bench.rows(text) == first


def test_databases_are_joined_with_files(bench: Bench) -> None:
    bench.database("z.duckdb")
    with sqlite3.connect(bench.folder / "l.sqlite") as lite:
        lite.execute("CREATE TABLE Look (id INTEGER, v TEXT, m)")
        lite.executemany("INSERT INTO look VALUES (?, ?, ?)", [(1, "one", 1), (2, None, "x")])
        lite.execute("CREATE TABLE unused (a)")
    attached = "ATTACH 'l.sqlite' AS l; ATTACH 'z.duckdb' (TYPE duckdb, READ_ONLY);"
    query = "SELECT x, v, m, t.a FROM 'a.csv' JOIN l.look USING (id), z.t -- and no more"
    assert bench.rows(f"{attached} {query}") == [
        {"x": "a", "v": None, "m": "x", "a": 7},
        {"x": "b", "v": "one", "m": "1", "a": 7},
    ]


def test_a_file_that_sqlite_cannot_read_is_told_in_a_line(bench: Bench) -> None:
    (bench.folder / "l.sqlite").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(QueryError, match=r"l.sqlite: cannot be read by SQLite: [^\n]+$"):
        bench.rows("ATTACH 'l.sqlite' AS l; FROM l.t")


def test_values_that_arrow_lacks_come_as_text(bench: Bench) -> None:
    made = bench.table("SELECT 1::HUGEINT AS h, '{\"a\": 1.10}'::JSON AS j, '101'::BIT AS b")
    assert made.column("b").to_pylist() == ["101"]
    assert made.schema.field("j").type == pa.json_()
    assert str(made.column("h")[0].as_py()) == "1"


def test_what_changes_by_itself_is_told(bench: Bench) -> None:
    notes = (bench.table("SELECT now() FROM 'a.csv' USING SAMPLE 1").schema.metadata or {})[
        b"notes"
    ]
    assert b"no ORDER BY" in notes
    assert b"now: other rows each time" in notes
    assert b"a sample is drawn anew" in notes
    assert bench.table("FROM 'a.csv' ORDER BY id").schema.metadata == {b"notes": b"[]"}
