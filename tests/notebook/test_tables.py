"""Tables of other libraries become rows, and answers tables of the same library."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pandas
import polars
import pyarrow as pa
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.notebook import tables

ROWS: list[dict[str, Any]] = [
    {"id": "007", "n": 1, "text": "Grüße"},
    {"id": "8", "n": 2, "text": ""},
]
TABLES = {
    "pandas": pandas.DataFrame(ROWS, index=[5, 6]),
    "polars": polars.DataFrame(ROWS),
    "arrow": pa.Table.from_pylist(ROWS),
    "records": ROWS,
}


def read(table: Any) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.jsonl"
        tables.write(table, path)
        return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_becomes_rows_and_comes_back(kind: str) -> None:
    assert tables.kind_of(TABLES[kind]) == kind
    assert read(TABLES[kind]) == ROWS
    back = tables.from_arrow(pa.Table.from_pylist(ROWS), tables.kind_of(TABLES[kind]))
    assert type(back) is type(TABLES[kind])
    assert read(back) == ROWS


def test_a_generator_is_read_row_by_row() -> None:
    assert read(row for row in ROWS) == ROWS


def test_missing_values_are_null() -> None:
    table = pandas.DataFrame(
        {"n": [1.5, float("nan")], "at": [pandas.Timestamp("2026-01-02"), None]}
    )
    assert read(table) == [{"n": 1.5, "at": "2026-01-02T00:00:00"}, {"n": None, "at": None}]
    assert read([{"a": pandas.NA, "b": pandas.NaT, "c": float("nan")}]) == [
        {"a": None, "b": None, "c": None}
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([{"text": float("inf")}], "row 1, column 'text': holds an infinity"),
        ([{"text": [{"a": -float("inf")}]}], "row 1, column 'text': holds an infinity"),
        ([{"text": "a"}, ["a"]], "row 2 is no dict (got list)"),
        ([{"text": {1, 2}}], "row 1: cannot be written as JSON"),
        ([{"text": b"ab"}], "row 1: cannot be written as JSON"),
        ({"text": ["a"]}, "must be the name of a file, a DataFrame"),
        (3, "must be the name of a file, a DataFrame"),
        (pandas.DataFrame({"text": [1, "a"]}, dtype=object), "holds values of several kinds"),
    ],
)
def test_what_cannot_be_rows_is_refused(table: Any, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(table)
    assert words in str(raised.value)


def test_names_of_files_are_told_from_tables() -> None:
    assert tables.is_name("a.csv")
    assert tables.is_name(Path("a.csv"))
    assert tables.is_name(["a.csv", "b.csv"])
    assert not tables.is_name(ROWS)
    assert not tables.is_name([])
