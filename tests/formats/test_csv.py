"""CSV: exact values and line numbers, and damage that stays where it is."""

import csv
import io
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import Json, parse_record
from llmbatch.core.records import RAW_LIMIT, Record, Reject
from llmbatch.formats import ReadOptions, csv_reader, lines, open_input, open_reader, open_writer

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"))
WITH_NUL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))
NAMES = TEXT.filter(str.strip)


def tables(cells: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[list[str], list[list[str]]]]:
    return st.lists(NAMES, min_size=1, max_size=4, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=8),
        )
    )


# Nothing is found out.
GIVEN = ReadOptions(delimiter=",", quote='"', escape="none", encoding="utf-8", skip_lines=0)


def read(data: bytes, format: str = "csv", options: ReadOptions = GIVEN) -> list[Record | Reject]:
    if format == "tsv":
        options = replace(options, delimiter="\t")
    with open_reader("in.csv", io.BytesIO(data), format, options) as reader:
        return list(reader)


def refusal(data: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(data)
    return str(caught.value)


def shown(items: list[Record | Reject]) -> list[tuple[int, object]]:
    """Line and values of each record, line and reason of each reject."""
    return [
        (item.line, list(parse_record(item.data).values()))
        if isinstance(item, Record)
        else (item.line, item.reason)
        for item in items
    ]


@given(
    tables(TEXT),
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    st.booleans(),
)
def test_what_pythons_csv_writes_is_read_back(
    table: tuple[list[str], list[list[str]]], style: tuple[str, Literal[0, 1]], tabs: bool
) -> None:
    names, rows = table
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, delimiter="\t" if tabs else ",", lineterminator=style[0], quoting=style[1]
    )
    starts = []
    for row in [names, *rows]:
        starts.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    items = read(text.getvalue().encode(), "tsv" if tabs else "csv")
    assert shown(items) == list(zip(starts[1:], rows, strict=True))
    for item in items:
        assert isinstance(item, Record)
        assert list(parse_record(item.data)) == names


@given(st.lists(st.sampled_from([b"a", b'"', b",", b"\n", b"\r\n", b"\0", b"\xff", "é".encode()])))
def test_every_line_of_any_input_is_in_one_record_or_reject(parts: list[bytes]) -> None:
    data = b"x,y\n" + b"".join(parts)
    physical = data.split(b"\n")
    items = read(data)
    ends = [*[item.line for item in items[1:]], len(physical) + 1]
    filled = [n for n, line in enumerate(physical, 1) if line.strip(b"\r")]
    assert [item.line for item in items[:1]] == filled[1:2]
    for item, end in zip(items, ends, strict=False):
        assert item.line < end
        span = b"\n".join(physical[item.line - 1 : end - 1])
        if isinstance(item, Reject):
            whole = span.rstrip(b"\r\n").decode(errors="backslashreplace")
            assert item.raw == whole.replace("\0", "\\x00")
        else:
            again = csv.reader(span.decode().splitlines(keepends=True), strict=True)
            # A separator at the end of all records is none.
            wanted = [row[:2] if row[2:] == [""] else row for row in again if row]
            assert [list(parse_record(item.data).values())] == wanted


PLAIN = st.text(st.characters(categories=["L", "N"]), min_size=1)


@given(st.lists(st.tuples(PLAIN, PLAIN)), st.lists(st.tuples(PLAIN, PLAIN)))
def test_a_forgotten_quote_costs_one_line(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    rows = [f"{a},{b}" for a, b in before] + ['7,"open'] + [f"{a},{b}" for a, b in after]
    items = read("\n".join(["x,y", *rows]).encode())
    wanted: list[tuple[int, object]] = [(n, row.split(",")) for n, row in enumerate(rows, 2)]
    wanted[len(before)] = (len(before) + 2, "unclosed quote")
    assert shown(items) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"", []),
        (b"00123,1.10\r\n", [(2, ["00123", "1.10"])]),
        (b"\n\r\n1,2", [(4, ["1", "2"])]),
        (b"1\n1,2,3\n4,5\n", [(2, "1 field where the header has 2"),
                              (3, "3 fields where the header has 2"), (4, ["4", "5"])]),
        (b'1,"a\r\nb"\n3,4\n', [(2, ["1", "a\r\nb"]), (4, ["3", "4"])]),
        (b'"a\nb"\n3,4\n', [(2, "1 field where the header has 2"), (4, ["3", "4"])]),
        (b'1,"a"b\n3,4\n', [(2, "text after a closing quote"), (3, ["3", "4"])]),
        (b'1,"a\n"b"z,c\n3,4\n', [(2, "unclosed quote (text after a closing quote on line 3)"),
                                 (3, "text after a closing quote"), (4, ["3", "4"])]),
        (b'1,"open\n2,"x\ny"\n3,4\n', [(2, "unclosed quote (text after a closing quote on line 3)"),
                                      (3, ["2", "x\ny"]), (5, ["3", "4"])]),
        (b"1,a\rb\n3,4\n", [(2, "carriage return outside quotes"), (3, ["3", "4"])]),
        (b"1,\xe9\n3,4\n", [(2, "invalid UTF-8 at byte 3"), (3, ["3", "4"])]),
        (b'1,"a\n\xff"\n3,4\n', [(2, "invalid UTF-8 at byte 6"), (4, ["3", "4"])]),
        (b"1,\0\n3,4\n", [(2, "NUL byte"), (3, ["3", "4"])]),
        (b'1,"a\n""\0"\n\0,"4"\n', [(2, ["1", 'a\n"\0']), (4, "NUL byte")]),
        (b'1,a"\0"\n"\0"x,4\n', [(2, "NUL byte"), (3, "text after a closing quote")]),
        (b'1,"\n\n\n2,b\n', [(2, "unclosed quote"), (5, ["2", "b"])]),
        (b'1,"a""b"\n', [(2, ["1", 'a"b'])]),
        (b'1,it"s\n', [(2, ["1", 'it"s'])]),
        (b" 1 , 2 \n", [(2, [" 1 ", " 2 "])]),
    ],
)  # fmt: skip
def test_records_and_rejects(body: bytes, wanted: list[tuple[int, object]]) -> None:
    assert shown(read(b"x,y\n" + body)) == wanted


def test_header_only_one_column_and_marks() -> None:
    assert read(b"x") == []
    assert read(b"\xef\xbb\xbfx,Full Name\n1,2\n") == [Record(2, '{"x":"1","Full Name":"2"}')]
    assert read(b'\n\n"x"\n""\n\na\n') == [Record(4, '{"x":""}'), Record(6, '{"x":"a"}')]
    with open_reader("in.csv", io.BytesIO(b"b, a b \n"), "csv") as reader:
        assert reader.columns == ["b", " a b "]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "in.csv: is empty: there is no header line"),
        (b"\xef\xbb\xbf", "in.csv: is empty: there is no header line"),
        (b"\n\r\n", "in.csv: is empty: there is no header line"),
        ("x,y\n".encode("utf-16"), "in.csv: is UTF-16, not UTF-8; leave --encoding out"),
        (b",,\n,,\n", "line 1: the header cannot be used: no column has a name or a value"),
        (b'x,"y\n1,2\n', "line 1: the header cannot be used: unclosed quote"),
        (b"x,\xe9\n", "line 1: the header cannot be used: invalid UTF-8 at byte 3"),
        ("x,y\n".encode("utf-16-le"), "NUL byte"),
        (b"x,y\r1,2\r\n", "carriage return outside quotes"),
    ],
)
def test_an_input_without_a_usable_header_is_refused(data: bytes, message: str) -> None:
    assert message in refusal(data)


def test_raw_text_is_printable_and_cut() -> None:
    (item,) = read(b"x,y\n\xff\0" + b"a" * 2 * RAW_LIMIT)
    assert isinstance(item, Reject)
    assert item.raw.startswith("\\xff\\x00aaa")
    assert len(item.raw) == RAW_LIMIT


def test_a_long_cell_is_read() -> None:
    text = 'word, "quoted"\n' * 350_000
    quoted = text.replace('"', '""')
    (item,) = read(f'x,y\n1,"{quoted}"\n'.encode())
    assert isinstance(item, Record)
    assert parse_record(item.data) == {"x": "1", "y": text}


def test_a_line_or_record_over_the_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 1024 * 1024)
    long = b"z" * 1_100_000
    items = read(b"x,y\n1,2\n3," + long + b'\n4,5\n6,"7\n' + long + b"\n8,9\n")
    assert shown(items) == [
        (2, ["1", "2"]), (3, "longer than 1 MiB"), (4, ["4", "5"]), (5, "unclosed quote"),
        (6, "longer than 1 MiB"), (7, ["8", "9"]),
    ]  # fmt: skip
    many = b"a,b\n" * 300_000
    items = read(b'x,y\n1,"' + many)
    assert [item.line for item in items if isinstance(item, Reject)] == [2]
    assert len(items) == 300_000
    closed = read(b'x,y\n1,"' + many + b'",\n')
    assert isinstance(closed[0], Reject)
    assert (closed[0].reason, closed[0].raw) == ("unclosed quote", '1,"a,b')


def test_a_record_of_too_many_lines_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "MAX_RECORD_LINES", 3)
    assert shown(read(b'x,y\n1,"\n2,a\n3,b"\n4,"\n5,a\n6,b\n"\n'))[:3] == [
        (2, ["1", "\n2,a\n3,b"]), (5, "unclosed quote"), (6, ["5", "a"]),
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b'x",",z\n', b'1,"b\n', b'1,"""b\n', b'1,"\n'])
def test_many_open_quotes_take_linear_time(line: bytes) -> None:
    """Looking ahead again for each line would parse 800 million lines: minutes."""
    start = time.process_time()
    items = read(b"x,y\n" + line * 40_000)
    assert time.process_time() - start < 20
    assert items


def test_records_come_before_the_input_ends() -> None:
    source, sink = os.pipe()
    with os.fdopen(sink, "wb", buffering=0) as pipe:
        pipe.write(b"x,y\n1,a\n2,")
        with open_reader("pipe", os.fdopen(source, "rb"), "csv") as reader:
            assert next(iter(reader)) == Record(2, '{"x":"1","y":"a"}')


def test_leaving_the_reader_closes_its_stream(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"x\n1\n")
    stream = open_input(str(path))
    with open_reader("in.csv", stream, "csv") as reader:
        assert list(reader) == [Record(2, '{"x":"1"}')]
    assert stream.closed


@given(tables(WITH_NUL))
def test_written_tables_are_read_back(table: tuple[list[str], list[list[str]]]) -> None:
    names, rows = table
    for format in ("csv", "tsv"):
        stream = io.BytesIO()
        with open_writer(stream, format, names[1:], {names[0]: "text"}) as writer:
            for row in rows:
                text = io.BytesIO()
                one = open_writer(text, "jsonl", [], dict.fromkeys(names[1:], "text"))
                one.write("{}", dict(zip(names[1:], row[1:], strict=True)))
                writer.write(text.getvalue().decode().strip(), {names[0]: row[0]})
        written = [row[1:] + row[:1] for row in rows]
        assert [values for _, values in shown(read(stream.getvalue(), format))] == written


def test_the_writer_shows_values_as_they_came() -> None:
    stream = io.BytesIO()
    types = {"response": "text", "ok": "boolean", "extra": "json", "n": "integer"}
    with open_writer(stream, "csv", ["id", "v"], types) as writer:
        answer = {"response": "a, b", "ok": True, "extra": Json("[1]"), "n": 2**70}
        writer.write('{"id":"007","v":1.10,"unnamed":1}', answer)
        writer.write('{"v":{"a": [10000000000000000000000]}}', {"response": "=1+1\rx"})
    assert stream.getvalue() == (
        b'id,v,response,ok,extra,n\n007,1.10,"a, b",true,[1],1180591620717411303424\n'
        b',"{""a"":[10000000000000000000000]}","=1+1\rx",,,\n'
    )
