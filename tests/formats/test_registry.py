"""Formats by name and suffix, and opening files."""

import gzip
import io
import subprocess
import sys
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record
from llmbatch.formats import ReadOptions, detect, open_input, open_reader, open_writer

ROWS = b"x\n" + b"".join(b"row %d\n" % n for n in range(50_000))
# Without a time in it: all workers must find the same tests, and their names hold these bytes.
PACKED = gzip.compress(ROWS, mtime=0)


@pytest.mark.parametrize(
    ("path", "format", "name"),
    [
        ("a.csv", None, "csv"),
        ("dir.x/A.CSV", None, "csv"),
        ("a.tsv", None, "tsv"),
        ("a.jsonl", None, "jsonl"),
        ("a.ndjson.gz", None, "jsonl"),
        ("a.json.zst", None, "jsonl"),
        ("a.csv.GZ", None, "csv"),
        ("a.parquet", None, "parquet"),
        ("-", "jsonl", "jsonl"),
        ("a.csv", "tsv", "tsv"),
        ("a.txt.gz", "csv", "csv"),
    ],
)
def test_detect(path: str, format: str | None, name: str) -> None:
    assert detect(path, format) == name


@pytest.mark.parametrize(
    ("path", "format", "message"),
    [
        (
            "a.jsnl",
            None,
            r"a\.jsnl: no format has the suffix '\.jsnl' \(did you mean '\.jsonl'\?\)",
        ),
        ("-", None, "-: has no suffix; .* or name the format: csv, tsv, jsonl, parquet"),
        ("a.gz", None, "has no suffix"),
        ("a.csv", "jsnl", r"format 'jsnl': no such format \(did you mean 'jsonl'\?\); use one of"),
    ],
)
def test_unknown_formats_are_refused(path: str, format: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        detect(path, format)


def test_json_is_read_and_not_written() -> None:
    assert detect("a.json", None) == "jsonl"
    with pytest.raises(UsageError, match=r"suffix '.json' \(did you mean '.jsonl'"):
        detect("a.json", None, writing=True)


def test_packed_output_is_refused() -> None:
    assert detect("out.jsonl", None, writing=True) == "jsonl"
    for format in (None, "jsonl"):
        with pytest.raises(UsageError, match="output is written unpacked"):
            detect("out.jsonl.gz", format, writing=True)


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    for name, data in [
        ("a.csv", ROWS),
        ("b.csv.gz", ROWS),
        ("c.csv", PACKED),
        ("d.csv.gz", gzip.compress(ROWS[:1000]) + gzip.compress(ROWS[1000:]) + b"\0" * 9),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        with open_reader(name, open_input(str(path)), "csv") as reader:
            items = list(reader)
        assert len(items) == 50_000
        assert items[-1] == Record(50_001, '{"x":"row 49999"}')


def _damaged(packed: bytes) -> bytes:
    return packed[:-8] + bytes(byte ^ 255 for byte in packed[-8:-4]) + packed[-4:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PACKED[:-1000], "ends too early: fetch the whole file again"),
        (PACKED[:-3], "ends too early"),
        (PACKED[:5], "ends too early"),
        (_damaged(PACKED), "the gzip data is damaged"),
        (PACKED[:300] + b"!" * 500, "the gzip data is damaged"),
        (PACKED + b"more", "the gzip data is damaged"),
    ],
)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_damaged_gzip_is_refused_with_its_name(
    tmp_path: Path, data: bytes, message: str, format: str
) -> None:
    path = tmp_path / "in.gz"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught, open_input(str(path)) as stream:
        list(open_reader("in.gz", stream, format))
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read: No such file"):
        open_input(str(tmp_path / "none.csv"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        open_input(str(tmp_path))


def test_a_setting_that_means_nothing_in_a_format_is_refused() -> None:
    with pytest.raises(UsageError, match="in: --null is for CSV and TSV, and this is jsonl"):
        open_reader("in", io.BytesIO(b""), "jsonl", ReadOptions(null=("NA",)))
    with pytest.raises(UsageError, match="--encoding is for CSV and TSV, and this is parquet"):
        open_reader("in", io.BytesIO(b""), "parquet", ReadOptions(encoding="cp1252"))


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet"])
def test_every_writer_refuses_columns_that_clash_and_answers_it_does_not_know(format: str) -> None:
    with pytest.raises(ValueError, match="response"):
        open_writer(io.BytesIO(), format, ["response"], {"response": "text"})
    with pytest.raises(ValueError, match="unknown answer types"):
        open_writer(io.BytesIO(), format, [], {"response": "date"})
    writer = open_writer(io.BytesIO(), format, [], {"response": "text"})
    with pytest.raises(ValueError, match="other"):
        writer.write("{}", {"other": 1})


def test_slow_libraries_are_imported_only_when_used() -> None:
    code = "import sys, llmbatch.formats; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
