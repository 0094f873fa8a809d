"""Files that are no tables are named for what they are, with the command that converts them."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, ipc, orc

from llmbatch.formats import foreign, packed

TABLE = pa.table({"t": ["one", "two"]})


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE t (a)")
    base.close()


def stream(path: Path) -> None:
    with ipc.new_stream(path, TABLE.schema) as writer:
        writer.write_table(TABLE)


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "sqlite": (sqlite, "a SQLite database"),
    "duckdb": (lambda path: duckdb.connect(str(path)).close(), "a DuckDB database"),
    "feather": (lambda path: feather.write_feather(TABLE, path), "an Arrow file"),
    "stream": (stream, "an Arrow stream"),
    "orc": (lambda path: orc.write_table(TABLE, path), "an ORC file"),
}


def said(path: Path, name: str | None = None) -> str | None:
    with packed.open_input(str(path)) as opened:
        return foreign.of_content(name or str(path), packed.head(opened, foreign.HEAD_BYTES))


@pytest.mark.parametrize("kind", MADE)
def test_real_files_are_known_under_a_false_name(tmp_path: Path, kind: str) -> None:
    make, what = MADE[kind]
    path = tmp_path / "data.csv"
    make(path)
    words = said(path) or ""
    assert words.startswith(f"is {what}: ") and "data" in words


@pytest.mark.parametrize("kind", ["stream"])
def test_the_command_converts_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"it's.{kind}"
    MADE[kind][0](path)
    command = (said(path) or "").partition("convert it: ")[2]
    python = command.replace("python -c", f"{sys.executable} -c", 1)
    subprocess.run(python, shell=True, check=True, timeout=60)
    assert pq.read_table(path.with_suffix(".parquet")).equals(TABLE)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "old kind (.xls): convert it: soffice"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"$FL2@(#) IBM SPSS\0\0\0", "an SPSS file"),
        (b"<?xml version='1.0'?>\n<a/>", "XML"),
        (b"\n<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"a/".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
        (b"\x80\x04\x95\x10\0\0\0", "a Python pickle"),
        (b"{\\rtf1\\ansi", "an RTF document"),
    ],
)
def test_a_content_is_known_whatever_its_name(head: bytes, what: str) -> None:
    assert what in (foreign.of_content("data.csv", head) or "")


@pytest.mark.parametrize(
    "text",
    [
        "mallard DUCK,b\n1,2\n",
        "ORC_id,b\n",
        "BMI,age\n",
        "ID3,b\n",
        "MZ,b\n",
        "II*,b\n",
        "---\n- a",
        "Rar!,b",
        "GIF89a,b",
        "Obj,b",
        "a,b\n",
        '{"a": "<html>"}\n',
        "ARROW1,x\n",
        "",
        "BZh9,x",
    ],
)
def test_a_table_is_not_taken_for_another_kind(text: str) -> None:
    for encoding in ("utf-8", "utf-16", "utf-16-le"):
        assert foreign.of_content("data.csv", text.encode(encoding)) is None


def test_a_workbook_with_a_password_is_told(tmp_path: Path) -> None:
    words = foreign.of_content("book.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0")
    assert words == "is protected by a password: save it without one in Excel"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.yaml", "YAML: convert it: yq -o=json a.yaml > a.json"),
        ("a.docx", "a Word document"),
        ("a.ods", "an OpenDocument table: convert it: soffice"),
        ("it's.XLS", "old kind (.xls): convert it: soffice --headless --convert-to csv 'it'\"'\"'"),
        ("a.dta", "a Stata file"),
    ],
)
def test_where_the_content_says_nothing_the_name_does(name: str, what: str) -> None:
    assert what in (foreign.of_name(name) or "")


def test_names_of_tables_and_none_say_nothing() -> None:
    for name in ("a.csv", "a", "a.jsonl", "a.txt", ".png"):
        assert foreign.of_name(name) is None


def test_documents_that_are_archives_are_known_by_their_files() -> None:
    assert "a Word document" in (foreign.of_archive("a.zip", ["word/document.xml"]) or "")
    assert "an OpenDocument file" in (foreign.of_archive("a.ods", ["content.xml"]) or "")
    assert foreign.of_archive("a.zip", ["a.csv"]) is None
