"""Dialects of CSV files: found, told, or refused with the flag that says what is meant."""

import gzip
import io
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import parse_record
from llmbatch.core.records import Record
from llmbatch.formats import ReadOptions, open_input, open_reader


class Table(NamedTuple):
    """A file as it was read: its columns, the values of its records, its rejects, its notes."""

    columns: list[str]
    rows: list[list[Any]]
    rejects: list[tuple[int, str]]
    notes: list[str]


def read(data: bytes | str, format: str = "csv", **given: Any) -> Table:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    with open_reader("in.csv", stream, format, ReadOptions(**given)) as reader:
        items = list(reader)
        columns, notes = reader.columns, reader.notes
    records = [parse_record(item.data) for item in items if isinstance(item, Record)]
    assert all(list(record) == columns for record in records)
    rejects = [(item.line, item.reason) for item in items if not isinstance(item, Record)]
    return Table(columns, [list(record.values()) for record in records], rejects, notes)


def refusal(data: bytes | str, format: str = "csv", **given: Any) -> str:
    with pytest.raises(UsageError) as caught:
        read(data, format, **given)
    return str(caught.value)


AB = [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    ("data", "rows", "note"),
    [
        ("a,b\n1,x\n2,y\n", AB, ""),
        ("a;b\n1;x\n2;y\n", AB, "';' as separator"),
        ("a\tb\n1\tx\n2\ty\n", AB, "tab as separator"),
        ("a|b\n1|x\n2|y\n", AB, "'|' as separator"),
        ("a;b\n1;x, or y\n2;y\n", [["1", "x, or y"], ["2", "y"]], "';' as separator"),
        ("a;b\n1;2,5\n2;3,5\n", [["1", "2,5"], ["2", "3,5"]], "';' as separator"),
        ("a;b\n1;\n2;\n", [["1", ""], ["2", ""]], "';' as separator"),
        ("a;b\n", [], "';' as separator"),
        ('a;b\n"1";"x;z"\n"2";"y\n;;"\n', [["1", "x;z"], ["2", "y\n;;"]], "';' as separator"),
        ("name;price, net\nx;1\n2;y\n", [["x", "1"], ["2", "y"]], "';' as separator"),
        ("sep=;\na;b\n1;x\n2;y\n", AB, "';' as separator (line 1 says so)"),
        ('"sep=|"\r\na|b\r\n1|x\r\n2|y\r\n', AB, "'|' as separator (line 1 says so)"),
        ("a,b\n1,x;y\n2,y;z\n", [["1", "x;y"], ["2", "y;z"]], ""),
        ("a,b\n1,'x'\n2,'y, z'\n", [["1", "x"], ["2", "y, z"]], "' as quote"),
        ("a,b\n1,'x'\n2,'y'\n", AB, "' as quote"),
        ("a,b\n1,'tis\n2,y'\n", [["1", "'tis"], ["2", "y'"]], ""),
        ('a,b\n1,"x \\"y\\", z"\n2,y\n', [["1", 'x "y", z'], ["2", "y"]],
         "\\ as escape before quotes"),
        ('a,b\n1,"C:\\new \\"y\\""\n', [["1", 'C:\\new "y"']], "\\ as escape before quotes"),
        ('a,b\n1,"C:\\"\n2,y\n', [["1", "C:\\"], ["2", "y"]], ""),
        ('a, b\n1, "x, z"\n2, "y"\n', [["1", "x, z"], ["2", "y"]], "no blanks after separators"),
        ("a,b\r1,x\r2,y\r", AB, "carriage returns as line ends"),
        ("# made today\n# by us\na,b\n1,x\n2,y\n", AB,
         "no comment lines above the header (lines 1 to 2)"),
        ("#a,b\n1,x\n2,y\n", AB, ""),
        ("a,b\n1,x,\n2,y,\n", AB, "no separator at the end of records"),
        ("text\nno comma; but more\n", [["no comma; but more"]], ""),
        ("text\nplain\nHello, world\nbye\n", [["plain"], ["bye"]], ""),
        ('text\n"a;b"\n"c;d"\n', [["a;b"], ["c;d"]], ""),
    ],
)  # fmt: skip
def test_a_dialect_that_is_sure_is_read_and_told(
    data: str, rows: list[list[str]], note: str
) -> None:
    table = read(data)
    assert table.rows == rows
    assert table.notes == ([f"reading {note}"] if note else [])


def test_a_format_has_a_separator_of_its_own() -> None:
    assert read("a\tb\n1\tx\n2\ty\n", "tsv") == Table(["a", "b"], AB, [], [])
    assert read("a,b\n1,x\n2,y\n", "tsv").notes == ["reading ',' as separator"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("a,b;c\n1,2;3\n4,5;6\n", "separated by ',' or by ';': add --delimiter ',' or --delimiter"),
        ("q; a\nyes; no\nyes\nno; 1\nx; 3; 5\n", "line 1: could be 2 columns separated by ';', or"),
        ("Report\n\na,b\n1,x\n2,y\n", "line 1 has 1 field where line 3 and most others have 2: if "
         "it is a title, add --skip-lines 2"),
        ("Report;;\nof May;;\na;b;c\n1;x;z\n2;y;z\n", "separated by ';': if it is a title, add "
         "--skip-lines 2"),
        ("text\nHello, world\nBye, world\n", "if the file has one column of text, add --delimiter "
         "none"),
        ("a,b\n1,2,3\n1,2,3\n", "if it is the header, name the missing columns"),
        ("a^b\n1^x\n2^y\n", "every line has '^': if it is the separator, add --delimiter '^'"),
        ("1,hello\n2,bye\n", "line 1 looks like a row and not like a header ('1' above numbers): "
         "if there is no header, add --no-header; if it is one, add --skip-lines 0"),
        ("1.5;x\n2.5;y\n;z\n3;w\n", "('1.5' above numbers)"),
    ],
)  # fmt: skip
def test_where_no_guess_is_safe_the_flag_is_named(data: str, said: str) -> None:
    assert said in refusal(data)


@pytest.mark.parametrize(
    ("data", "given", "rows"),
    [
        ("a,b;c\n1,2;3\n", {"delimiter": ";"}, [["1,2", "3"]]),
        ("a^b\n1^x\n2^y\n", {"delimiter": "^"}, AB),
        ("1,a\n2,b\n", {"header": False}, [["1", "a"], ["2", "b"]]),
        ("1,a\n2,b\n", {"skip_lines": 0}, [["2", "b"]]),
        # Numbers may name columns: of programs, of years, of data that is none.
        ("0,a\n2,b\n", {}, [["2", "b"]]),
        ("1990,1991\n2,3\n", {}, [["2", "3"]]),
        ("1,a\nx,b\n", {}, [["x", "b"]]),
        ("Report\n\na;b\n1;x\n2;y\n", {"skip_lines": 2}, AB),
        ("text\nHello, world\nBye, world\n", {"delimiter": "none"},
         [["Hello, world"], ["Bye, world"]]),
        ("a,b\n1,'x'\n", {"quote": '"'}, [["1", "'x'"]]),
        ("a,b\n1,'x,y'\n", {"quote": "'"}, [["1", "x,y"]]),
        ('a,b\n1,"x\n', {"quote": "none"}, [["1", '"x']]),
        ("a,b\n1,x\\,y\n", {"escape": "\\"}, [["1", "x,y"]]),
        ("a,b\n1,NA\nnull,x\n", {"null": ("NA", "null")}, [["1", None], [None, "x"]]),
    ],
)  # fmt: skip
def test_what_is_said_is_not_guessed(
    data: str, given: dict[str, Any], rows: list[list[str]]
) -> None:
    table = read(data, **given)
    assert (table.rows, table.rejects) == (rows, [])


def test_lines_are_those_of_the_file() -> None:
    assert read("sep=;\na;b\n1;x\n2\n").rejects == [(4, "1 field where the header has 2")]
    assert read("t\n\na,b\n1,x\n2\n", skip_lines=2).rejects[0][0] == 5
    assert read("a,b\r1,x\r2\r3,y").rejects == [(3, "1 field where the header has 2")]
    assert read("a,b\nü,x\n2\n".encode("utf-16")).rejects[0][0] == 3


def test_without_a_header_columns_have_numbers() -> None:
    assert read("1;x\n2;y\n", header=False)[:2] == (["column_1", "column_2"], AB)
    (note,) = read("1,hello\n2,bye\n", skip_lines=0).notes
    assert "line 1 is taken for the header ('1', 'hello'): add --no-header" in note


@pytest.mark.parametrize(
    ("data", "columns", "rows", "said"),
    [
        (",b\n1,x\n2,y\n", ["column_1", "b"], AB, "without a name: column 1 is called 'column_1'"),
        ("a,a\n1,x\n2,y\n", ["a", "a_2"], AB,
         "columns 1 and 2 are both named 'a': the second is called 'a_2'"),
        ("a,a_2,a\n1,x,z\n", ["a", "a_2", "a_3"], [["1", "x", "z"]], "is called 'a_3'"),
        ("column_2,\n1,x\n2,y\n", ["column_2", "column_2_3"], AB, "is called 'column_2_3'"),
        ("a,b,\n1,x,\n2,y,\n", ["a", "b"], AB, "column 3 has neither a name nor values: left out"),
        ("a,b,,\n1,x\n2,y,,\n", ["a", "b"], AB, "columns 3, 4 have neither names nor values"),
        ("a,,b\n1,,x\n2,,y\n", ["a", "b"], AB, "column 2 has neither"),
        ("a,b,\n1,x,\n2,y,!\n", ["a", "b", "column_3"], [["1", "x", ""], ["2", "y", "!"]],
         "without a name: column 3"),
        ("a, b\n1,x\n2,y\n", ["a", " b"], AB, "blanks are part of the names ' b'"),
        ("a,b\n1,p,x\n2,q,y\n", ["column_1", "a", "b"], [["1", "p", "x"], ["2", "q", "y"]],
         "column 1 is called 'column_1'"),
    ],
)  # fmt: skip
def test_names_of_columns_are_made_and_told(
    data: str, columns: list[str], rows: list[list[str]], said: str
) -> None:
    table = read(data)
    assert (table.columns, table.rows, table.rejects) == (columns, rows, [])
    assert any(said in note for note in table.notes)


WORDS = "id;text\n1;Grüße aus Köln\n2;“déjà vu”: 5 €\n"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_encoding_that_is_sure_is_read_and_told(encoding: str, end: str) -> None:
    table = read(WORDS.replace("\n", end).encode(encoding))
    assert table.rows == [["1", "Grüße aus Köln"], ["2", "“déjà vu”: 5 €"]]
    assert f"{encoding.upper()} as encoding".casefold() in table.notes[0].casefold()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń", "cp1250"),
        ("Привет, мир", "cp1251"),
        ("Привет", "koi8-r"),
        ("你好世界", "gb18030"),
        ("こんにちは", "cp932"),
        ("Grüße", "cp850"),
        ("Grüße", "mac-roman"),
        ("Ελλάδα", "iso8859-7"),
    ],
)
def test_an_encoding_that_is_not_sure_is_asked_for(text: str, encoding: str) -> None:
    data = f"id;text\n1;plain\n2;{text}\n".encode(encoding)
    said = refusal(data)
    assert said.startswith("in.csv: line 3: ")
    assert "--encoding cp1252" in said
    assert read(data, encoding=encoding).rows[1] == ["2", text]


def test_the_encoding_is_that_of_the_whole_file() -> None:
    rows = "".join(f"{number},plain\n" for number in range(200_000))
    table = read(f"id,text\n{rows}x,Müller\n".encode("cp1252"))
    assert table.rows[-1] == ["x", "Müller"]
    assert "line 200002: 'Müller'" in table.notes[0]


def test_damage_within_utf8_stays_where_it_is() -> None:
    table = read("id,text\n1,é ü\n".encode() + b"2,\xe9\n3,x\n")
    assert table.rejects == [(3, "invalid UTF-8 at byte 3")]
    assert table.notes == []
    assert read(b"id,text\n2,\xe9\n", encoding="utf-8").rejects[0][0] == 2


def test_an_encoding_that_is_wrong_is_refused_at_once() -> None:
    data = b"id,text\n1,plain\n2,\x81\n"
    assert "in.csv: line 3: is not CP1252 text" in refusal(data, encoding="cp1252")
    assert "--encoding cp1252" in refusal(data)


def test_packed_files_are_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(WORDS.encode("cp1252")))
    with open_reader("in.csv", open_input(str(path)), "csv") as reader:
        assert len(list(reader)) == 2
        assert "';' as separator" in reader.notes[0]


def test_json_lines_have_encodings_too() -> None:
    table = read('{"a":"é"}\n{"a":"ü"}\n'.encode("utf-16"), "jsonl")
    assert (table.rows, table.notes) == ([["é"], ["ü"]], ["reading UTF-16 as encoding"])


def test_the_first_lines_of_a_long_file_may_end_within_a_record() -> None:
    body = "".join(f'{number};"first\nsecond; {number}"\n' for number in range(2000))
    table = read(f"a;b\n{body}")
    assert (len(table.rows), table.rejects) == (2000, [])
