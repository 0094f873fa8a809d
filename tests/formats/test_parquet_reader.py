"""Parquet input: every row is a record, whatever its types."""

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats.parquet_reader import ParquetReader


def written(table: pa.Table, **settings: int) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **settings)
    return stream.getvalue()


def read(content: bytes) -> tuple[list[Record | Reject], ParquetReader]:
    with ParquetReader(io.BytesIO(content), "in.parquet") as reader:
        return list(reader), reader


def test_a_line_is_the_ordinal_of_a_row_over_all_row_groups() -> None:
    found, reader = read(written(pa.table({"a": range(5)}), row_group_size=2))
    assert [(item.line, item.data) for item in found if isinstance(item, Record)] == [
        (line, f'{{"a":{line - 1}}}') for line in range(1, 6)
    ]
    assert reader.columns == ["a"]


def test_numbers_that_json_lacks_are_rejected_with_their_column() -> None:
    table = pa.table({"NaN": ["NaN", "NaN"], "x": [{"y": [float("nan")]}, {"y": [0.5]}]})
    bad, good = read(written(table))[0]
    assert isinstance(bad, Reject)
    assert bad.line == 1
    assert bad.reason.startswith("column 'x' holds NaN, which is no JSON number: ")
    assert "--nan null" in bad.reason
    assert good == Record(2, '{"NaN":"NaN","x":{"y":[0.5]}}')


def test_one_row_that_cannot_be_read_costs_no_other() -> None:
    maps = pa.array([[("a", 1)], [("a", 1), ("a", 2)], []], pa.map_(pa.string(), pa.int8()))
    found, _ = read(written(pa.table({"m": maps})))
    assert [type(item) for item in found] == [Record, Reject, Record]
    assert [item.line for item in found] == [1, 2, 3]


def test_columns_without_a_name_of_their_own_get_one() -> None:
    table = pa.Table.from_arrays([pa.array([n]) for n in range(4)], names=["a", "a", "", "a_2"])
    found, reader = read(written(table))
    assert reader.columns == ["a", "a_3", "column_3", "a_2"]
    assert found == [Record(1, '{"a":0,"a_3":1,"column_3":2,"a_2":3}')]
    assert reader.notes == [
        "column 2 is called 'a' like another: called a_3",
        "column 3 has no name: called column_3",
    ]


def test_bytes_are_told_of() -> None:
    assert read(written(pa.table({"b": [b"x"]})))[1].notes == [
        "column 'b' holds bytes: read as base64"
    ]


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet.gz"
    path.write_bytes(gzip.compress(written(pa.table({"a": [1]}))))
    with formats.open_reader("in", formats.open_input(str(path)), "parquet") as reader:
        assert list(reader) == [Record(1, '{"a":1}')]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"^in.parquet: is not Parquet, or damaged: [^\n]+$"):
        read(content)


def test_damage_within_the_file_names_the_last_good_row() -> None:
    content = bytearray(written(pa.table({"a": [str(n) * 50 for n in range(3000)]})))
    content[4:400] = bytes(396)
    with pytest.raises(UsageError, match=r"^in.parquet: cannot be read after row [0-9,]+: [^\n]+$"):
        read(bytes(content))


def test_batches_are_small_where_rows_are_long() -> None:
    """A batch is what memory holds: few rows of a megabyte, and not all of a repeated text."""
    long = pa.table({"a": [str(n % 10) * 1_000_000 for n in range(60)]})
    with formats.open_reader("in", io.BytesIO(written(long)), "parquet") as reader:
        before = pa.total_allocated_bytes()
        next(iter(reader))
        assert pa.total_allocated_bytes() - before < 70_000_000
