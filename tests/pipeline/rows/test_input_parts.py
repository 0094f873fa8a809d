"""An input stands for the files that its names say, and for nothing by chance."""

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import input_file, input_parts
from llmbatch.pipeline.rows.input_parts import Parts


def find(*names: str, **given: Any) -> Parts:
    table = {"input": {"files": list(names)} | given, "output": "o", "model": "m", "prompt": "p"}
    return input_parts.find(input_file.make(JobSpec.model_validate(table), Path("state")))


def names(parts: Parts) -> list[str]:
    return [part.name for part in parts.files]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.csv", "a.csv", ".hidden.csv", "sub/c.csv"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"t\n{name}\n")
    return tmp_path / "data"


def test_names_keep_their_order_and_a_file_comes_once(folder: Path) -> None:
    assert names(find("data/b.csv", "data/a.csv")) == ["data/b.csv", "data/a.csv"]
    found = find("data/b.csv", "data/*.csv", str(folder / "b.csv"))
    assert names(found) == ["data/b.csv", "data/a.csv"]
    assert "is named more than once, and read once" in found.notes[0]


def test_a_folder_is_its_tables_by_name(folder: Path) -> None:
    (folder / "notes.md").write_text("x")
    found = find("data")
    assert names(found) == ["data/a.csv", "data/b.csv"]
    assert found.notes == ["data: not read, of no known format: notes.md, sub"]
    assert names(find("data/**/*.csv")) == ["data/a.csv", "data/b.csv", "data/sub/c.csv"]


def test_a_name_that_looks_like_a_pattern_is_the_file_if_there_is_one(folder: Path) -> None:
    (folder / "a[1].csv").write_text("t\n")
    assert names(find("data/a[1].csv")) == ["data/a[1].csv"]


def test_files_of_several_formats_are_refused(folder: Path) -> None:
    (folder / "c.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"data: files of several formats \(.*c.jsonl is jsonl"):
        find("data")
    # A given format is that of all of them.
    assert len(find("data", format="csv").files) == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.csv", "none.csv: no such file"),
        ("data/*.tsv", "no file matches this pattern"),
        ("empty", r"a folder without a file of a known format; name the files, or a pattern"),
        ("images", r"without a file of a known format \(a.png, b.png\)"),
        ("a.docx", "a.docx: is a Word document"),
        ("a.txt", "no format has the suffix '.txt'"),
        ("page.csv", "page.csv: is an HTML page"),
        ("other.zip", "is a zip archive without a file of a known format: a.txt, b.txt"),
        ("word.zip", "word.zip: is a Word document"),
        ("tar.csv.gz", "is a tar archive: unpack it, and give the files in it: tar -xf tar.csv.gz"),
        ("cut.zip", "cut.zip: the zip data is damaged"),
    ],
)
def test_what_cannot_be_read_is_told_with_a_cure(tmp_path: Path, name: str, reason: str) -> None:
    for folder in ("empty", "images"):
        (tmp_path / folder).mkdir()
    for image in ("images/a.png", "images/b.png", "a.docx", "a.txt"):
        (tmp_path / image).write_text("x")
    (tmp_path / "page.csv").write_text("<!doctype html>")
    (tmp_path / "tar.csv.gz").write_bytes(gzip.compress(b"a".ljust(257, b"\0") + b"ustar"))
    archive(tmp_path / "other.zip", "a.txt", "b.txt")
    archive(tmp_path / "word.zip", "word/document.xml")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "word.zip").read_bytes()[:40])
    with pytest.raises(UsageError, match=reason):
        find(name)


def archive(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, "t\nx\n")


def test_an_archive_is_its_tables(tmp_path: Path) -> None:
    archive(tmp_path / "in.zip", "b.csv", "a.csv", "readme.txt")
    found = find("in.zip")
    assert names(found) == ["in.zip/a.csv", "in.zip/b.csv"]
    assert found.notes == ["in.zip: not read, of no known format: readme.txt"]
    # The only file in one has the format that the archive's name says.
    archive(tmp_path / "one.csv.zip", "data")
    assert [part.format_name for part in find("one.csv.zip").files] == ["csv"]


def test_the_content_of_a_binary_table_decides(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"PAR1....PAR1")
    found = find("t.csv")
    assert [part.format_name for part in found.files] == ["parquet"]
    assert found.notes == ["t.csv: is parquet by its content, and read as that"]


def test_a_pipe_is_not_opened_while_files_are_looked_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    found = find("pipe.csv", "data/a.csv")
    assert [part.is_once for part in found.files] == [True, False]


@pytest.mark.parametrize(
    ("name", "output", "is_taken"),
    [
        ("data", "data/out.csv", True),
        ("data", "data/out.xyz", False),
        ("data", "data/sub/out.csv", False),
        ("data", "out.csv", False),
        ("data/*.csv", "data/out.csv", True),
        ("data/*.csv", "data/out.jsonl", False),
        ("data/*.csv", "data/sub/out.csv", False),
        ("data/**/*.csv", "data/sub/out.csv", True),
        ("data/a.csv", "data/out.csv", False),
    ],
)
def test_an_output_does_not_lie_where_the_next_run_would_read_it(
    name: str, output: str, is_taken: bool
) -> None:
    table = {"input": name, "output": "o", "model": "m", "prompt": "p"}
    source = input_file.make(JobSpec.model_validate(table), Path("state"))
    if not is_taken:
        input_parts.check_apart(source, [Path(output)])
        return
    with pytest.raises(UsageError, match="would be taken for a file of the input"):
        input_parts.check_apart(source, [Path(output)])
