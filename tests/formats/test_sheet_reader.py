"""The rows of a workbook are what its cells hold, and what is not as it seems is told."""

import datetime
import io
import json
from typing import Any

import openpyxl
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats import ReadOptions, open_reader, open_writer


def book(*rows: list[Any], **others: list[list[Any]]) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "one"
    for row in rows:
        sheet.append(row)
    for title, more in others.items():
        other = made.create_sheet(title)
        for row in more:
            other.append(row)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def read(data: bytes, **options: Any) -> tuple[list[Record | Reject], list[str], list[str]]:
    with open_reader("in.xlsx", io.BytesIO(data), "xlsx", ReadOptions(**options)) as reader:
        return list(reader), reader.columns, reader.notes


def values(data: bytes, **options: Any) -> list[Any]:
    found = read(data, **options)[0]
    return [json.loads(each.data) if isinstance(each, Record) else each.reason for each in found]


def test_cells_are_read_as_what_they_are() -> None:
    when = datetime.datetime(2024, 2, 29)
    row = ["007", 3.0, 0.1, True, when, when.replace(hour=13), datetime.time(9, 30), None, "ä\n"]
    header = list("abcdefghi")
    (record,), columns, notes = read(book(header, row))
    assert isinstance(record, Record)
    assert record == Record(
        2,
        '{"a":"007","b":3,"c":0.1,"d":true,"e":"2024-02-29","f":"2024-02-29T13:00:00",'
        '"g":"09:30:00","h":null,"i":"ä\\n"}',
    )
    assert columns == header
    assert notes == []


def test_empty_rows_and_errors_are_told_and_rows_keep_their_numbers() -> None:
    data = book([], ["t", "u"], ["x", 1], [None, None], ["y", "#N/A"], [None], ["z"])
    found, _, notes = read(data)
    assert [each.line for each in found] == [3, 5, 7]
    assert values(data)[-1] == {"t": "z", "u": None}
    assert notes == ["2 empty rows skipped", "1 cell with an error, such as #N/A, as text"]


def test_columns_without_a_name_of_their_own_get_one() -> None:
    found, columns, notes = read(book(["t", None, "t", 2024.0, None], [1, 2, 3, 4]))
    assert columns == ["t", "column_2", "t_2", "2024"]
    assert len(found) == 1
    assert len(notes) == 2


def test_a_row_beyond_the_header_is_rejected_alone() -> None:
    assert values(book(["t"], ["x", "more"], ["y"])) == [
        "cells beyond the 1 column of the header",
        {"t": "y"},
    ]


def test_a_sheet_is_chosen_by_its_name() -> None:
    data = book(["t"], ["x"], two=[["t"], ["y"]])
    assert values(data) == [{"t": "x"}]
    assert read(data)[2] == ["reading the sheet 'one'; others by --sheet: 'two'"]
    assert values(data, sheet="two") == [{"t": "y"}]
    assert read(data, sheet="two")[2] == []
    with pytest.raises(
        UsageError, match=r"no sheet 'tow' \(did you mean 'two'\?\); sheets: one, two"
    ):
        read(data, sheet="tow")
    with pytest.raises(UsageError, match="the sheet 'one' is empty; others by --sheet: 'two'"):
        read(book(two=[["t"]]))


def test_the_header_may_be_elsewhere_or_missing() -> None:
    data = book(["Report", None], ["t", "u"], ["x", "NA"])
    assert values(data, skip_lines=1, null=("NA",)) == [{"t": "x", "u": None}]
    assert values(book(["x", 1], ["y", 2]), header=False) == [
        {"column_1": "x", "column_2": 1},
        {"column_1": "y", "column_2": 2},
    ]


def test_text_that_xml_cannot_hold_comes_back_as_it_was_written() -> None:
    text = "a\x01_x0041_\n\U0001f600"
    stream = io.BytesIO()
    with open_writer(stream, "xlsx", ["t"], {"response": "text"}) as writer:
        writer.write(json.dumps({"t": text}), {"response": text})
    assert values(stream.getvalue())[0] == {"t": text, "response": text}


def test_a_file_that_is_no_workbook_is_told() -> None:
    for data in (b"PK\x03\x04", b"t\nx\n", book(["t"])[:-200]):
        with pytest.raises(UsageError, match=r"in.xlsx: is no Excel workbook, or damaged"):
            read(data)


def test_settings_of_other_formats_are_refused() -> None:
    with pytest.raises(UsageError, match="--delimiter is for CSV and TSV, and this is xlsx"):
        read(book(["t"]), delimiter=";")
    with pytest.raises(UsageError, match="--sheet is for workbooks, and this is csv"):
        open_reader("in.csv", io.BytesIO(b"t\n"), "csv", ReadOptions(sheet="one"))
