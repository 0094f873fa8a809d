"""A query runs in a process of its own, which ends with it."""

import os
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.store import user_query
from llmbatch.store.query_child import QueryRequest


def request(folder: Path, text: str, seconds: int = 60) -> QueryRequest:
    return QueryRequest(text, str(folder), (), None, "500MB", str(folder / "tmp"), seconds)


def test_the_rows_come_from_another_process(tmp_path: Path) -> None:
    before = os.getcwd()  # noqa: PTH109
    with user_query.rows(request(tmp_path, "SELECT 7 AS a")) as reader:
        assert reader.read_all().to_pylist() == [{"a": 7}]
        assert user_query.notes(reader) == [
            "no ORDER BY: its rows are in the order of all columns, one after the other"
        ]
    assert os.getcwd() == before  # noqa: PTH109
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    long = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b"
    with (
        pytest.raises(UsageError, match=r"longer than 1 s and was ended.*--sql-timeout"),
        user_query.rows(request(tmp_path, long, 1)),
    ):
        pass
