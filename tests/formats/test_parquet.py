"""Parquet output: text as it came, answers with their types."""

import gc
import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmbatch.core.exact_json import ExactFloat, Json
from llmbatch.formats import Misfit, open_writer
from llmbatch.formats.parquet import BATCH_ROWS

TYPES = {"t": "text", "i": "integer", "n": "number", "b": "boolean", "j": "json"}


def write_one(data: str, answer: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    with open_writer(stream, "parquet", ["id", "v"], TYPES) as writer:
        writer.write(data, answer)
    row: dict[str, Any] = pq.read_table(io.BytesIO(stream.getvalue())).to_pylist()[0]
    return row


@pytest.mark.parametrize(
    ("data", "answer", "row"),
    [
        ('{"id":"007","v":1.10}', {"t": "x", "i": 3, "n": 1, "b": True, "j": Json('{"a":1}')},
         {"id": "007", "v": "1.10", "t": "x", "i": 3, "n": 1.0, "b": True, "j": '{"a":1}'}),
        ('{"id":null,"v":[1, 2]}', {"i": 2.0, "n": 0.5, "b": False},
         {"id": None, "v": "[1,2]", "t": None, "i": 2, "n": 0.5, "b": False, "j": None}),
        ('{"id":10000000000000000000000}', {"i": -(2**63), "t": ""},
         {"id": "10000000000000000000000", "v": None, "t": "", "i": -(2**63), "n": None,
          "b": None, "j": None}),
    ],
)  # fmt: skip
def test_rows(data: str, answer: dict[str, Any], row: dict[str, Any]) -> None:
    assert write_one(data, answer) == row


@pytest.mark.parametrize(
    "answer",
    [
        {"i": 2**63}, {"i": -(2**63) - 1}, {"i": 1.5}, {"i": "1"}, {"i": True}, {"i": float("inf")},
        {"i": ExactFloat("1.00000000000000000001")}, {"i": ExactFloat("1e-400")},
        {"n": "x"}, {"n": 10**400}, {"n": True}, {"n": 2**53 + 1}, {"n": ExactFloat("1e-400")},
        {"n": ExactFloat("1e400")}, {"b": 1}, {"b": "true"},
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_told_by_its_column(answer: dict[str, Any]) -> None:
    (name,) = answer
    with pytest.raises(Misfit, match=f"column '{name}' cannot hold ") as caught:
        write_one("{}", answer)
    assert caught.value.column == name


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0.1234567890123456789012345", 0.12345678901234568),
        ("1e300", 1e300),
        ("9007199254740993.0", 9007199254740992.0),
        ("-0.0", 0.0),
        ("0e999", 0.0),
    ],
)
def test_a_number_with_a_fraction_is_the_nearest_that_there_is(written: str, number: float) -> None:
    assert write_one("{}", {"n": ExactFloat(written)})["n"] == number


def test_nothing_is_written_after_an_error() -> None:
    """Neither when the file is collected, nor with a word about a stream that is closed."""
    stream = io.BytesIO()
    with (
        pytest.raises(Misfit),
        open_writer(stream, "parquet", ["id"], {"i": "integer"}) as writer,
    ):
        writer.write("{}", {"i": 2**63})
    stream.seek(0)
    stream.truncate()
    del writer
    gc.collect()
    assert stream.getvalue() == b""


def test_a_full_disk_is_an_error_and_nothing_is_said_of_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    stream = Path("/dev/full").open("wb", buffering=10_000)  # noqa: SIM115 (closing it fails, too)
    with (
        pytest.raises(OSError, match="No space left"),
        open_writer(stream, "parquet", ["id"], {"t": "text"}) as writer,
    ):
        for n in range(BATCH_ROWS):
            writer.write("{}", {"t": f"text {n}"})
    with suppress(OSError):
        stream.close()
    del writer
    gc.collect()
    assert said == []


def test_rows_beyond_one_batch_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    with (
        path.open("wb") as stream,
        open_writer(stream, "parquet", ["id"], {"i": "integer"}) as writer,
    ):
        for n in range(25_000):
            writer.write(f'{{"id":"{n:06}"}}', {"i": n})
    file = pq.ParquetFile(path)
    assert file.num_row_groups == 3
    assert file.read().to_pylist() == [{"id": f"{n:06}", "i": n} for n in range(25_000)]


def test_no_rows_make_a_file_with_columns() -> None:
    stream = io.BytesIO()
    with open_writer(stream, "parquet", ["id"], {"i": "integer"}):
        pass
    table = pq.read_table(io.BytesIO(stream.getvalue()))
    assert (table.column_names, table.num_rows) == (["id", "i"], 0)
