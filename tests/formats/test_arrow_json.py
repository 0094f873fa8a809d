"""Arrow columns as JSON text, exact for every type."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from llmbatch.formats import arrow_json
from llmbatch.formats.arrow_json import UnreadableValueError

CASES: list[tuple[pa.Array, list[str]]] = [
    (pa.array([2**53 + 1, -(2**63)]), ["9007199254740993", "-9223372036854775808"]),
    (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
    (pa.array([Decimal("1.10"), Decimal("-0.05")], pa.decimal128(10, 2)), ["1.10", "-0.05"]),
    (pa.array([Decimal(10**40)], pa.decimal256(60, 1)), [f"{10**40}.0"]),
    (pa.array([0.1, float("nan")], pa.float32()), ["0.1", "NaN"]),
    (pa.array([0.1, float("-inf"), 1e300]), ["0.1", "-Infinity", "1e+300"]),
    (pa.array([0.1], pa.float32()).cast(pa.float16()), ["0.1"]),
    (pa.array([True, False]), ["true", "false"]),
    (pa.array(['ä"\n\0', "%s"]), ['"ä\\"\\n\\u0000"', '"%s"']),
    (pa.array(["a"], pa.large_string()), ['"a"']),
    (pa.array(["a"], pa.string_view()), ['"a"']),
    (pa.array([b"\xff\0", b""]), ['"/wA="', '""']),
    (pa.array([b"abc"], pa.binary(3)), ['"YWJj"']),
    (pa.array([dt.date(2024, 2, 29), dt.date(1, 1, 1)]), ['"2024-02-29"', '"0001-01-01"']),
    (pa.array([dt.date(1969, 12, 31)], pa.date64()), ['"1969-12-31"']),
    (pa.array([dt.time(1, 2, 3, 500_000), dt.time(0)]), ['"01:02:03.5"', '"00:00:00"']),
    (pa.array([dt.datetime(2024, 1, 31, 12, 30)]), ['"2024-01-31T12:30:00"']),
    (pa.array([1], pa.timestamp("ns")), ['"1970-01-01T00:00:00.000000001"']),
    (pa.array([0], pa.timestamp("ms", tz="UTC")), ['"1970-01-01T00:00:00Z"']),
    (pa.array([0, 1_720_000_000], pa.timestamp("s", tz="Europe/Berlin")),
     ['"1970-01-01T01:00:00+01:00"', '"2024-07-03T11:46:40+02:00"']),
    (pa.array([0], pa.timestamp("s", tz="-05:30")), ['"1969-12-31T18:30:00-05:30"']),
    (pa.array([90_500, -1], pa.duration("ms")), ['"PT90.5S"', '"PT-0.001S"']),
    (pa.array([(14, 3, 500_000_000)], pa.month_day_nano_interval()), ['"P14M3DT0.5S"']),
    (pa.array([[1, None], []]), ["[1,null]", "[]"]),
    (pa.array([["a"]], pa.large_list(pa.string())), ['["a"]']),
    (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["[1,2]"]),
    (pa.array([{"a": 1, "b": [{"c": "x"}]}]), ['{"a":1,"b":[{"c":"x"}]}']),
    (pa.array([[("a", 1), ("b", None)], []], pa.map_(pa.string(), pa.int64())),
     ['{"a":1,"b":null}', "{}"]),
    (pa.array([[(1, "x")]], pa.map_(pa.int64(), pa.string())), ['{"1":"x"}']),
    (pa.array(["x", "y"]).dictionary_encode(), ['"x"', '"y"']),
    (pa.array([b"\0" * 16], pa.uuid()), [f'"{uuid.UUID(int=0)}"']),
    (pa.array(['{"a": 1.10}', "plain"], pa.json_()), ['{"a": 1.10}', '"plain"']),
    (pa.nulls(1), ["null"]),
]  # fmt: skip


@pytest.mark.parametrize(("column", "texts"), CASES, ids=[str(case[0].type) for case in CASES])
def test_values_are_written_exactly(column: pa.Array, texts: list[str]) -> None:
    with_null = pa.concat_arrays([column.slice(0, 1), pa.nulls(1, column.type), column])
    assert arrow_json.texts(column) == texts
    assert arrow_json.texts(with_null) == [texts[0], "null", *texts]
    # A part of a column has values before it that do not count.
    assert arrow_json.texts(with_null.slice(1)) == ["null", *texts]


def test_records_have_the_names_that_are_given() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array(["a", None])], names=["x", "y"])
    assert list(arrow_json.records(batch, ['50%s"', "y"])) == [
        '{"50%s\\"":1,"y":"a"}',
        '{"50%s\\"":2,"y":null}',
    ]


def invalid_text() -> pa.Array:
    buffers = pa.array([b"\xff"]).buffers()
    return pa.Array.from_buffers(pa.string(), 1, buffers)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (invalid_text(), "column 'c': text that is not UTF-8"),
        (pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())), "the same key twice"),
    ],
)
def test_what_cannot_be_written_names_its_column(column: Any, reason: str) -> None:
    batch = pa.RecordBatch.from_arrays([column], names=["c"])
    with pytest.raises(UnreadableValueError, match=reason):
        list(arrow_json.records(batch, ["c"]))


def test_bytes_are_found_at_any_depth() -> None:
    assert arrow_json.holds_bytes(pa.list_(pa.struct([("a", pa.binary())])))
    assert arrow_json.holds_bytes(pa.dictionary(pa.int8(), pa.binary()))
    assert not arrow_json.holds_bytes(pa.uuid())
    assert not arrow_json.holds_bytes(pa.map_(pa.string(), pa.int8()))
