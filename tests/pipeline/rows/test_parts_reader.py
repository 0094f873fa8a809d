"""Rows of several files are told apart, and what differs between the files is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import error_file, ingest, input_file
from llmbatch.pipeline.rows.input_parts import Part
from llmbatch.pipeline.rows.parts_reader import PartsReader
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.snapshots import Snapshot


class Bench:
    """A store, and files to read into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = JobPaths(folder / "state")
        self.paths.state.mkdir()
        self.db: Database = open_store(self.paths.store)

    def read(self, *files: str, **changes: Any) -> Snapshot:
        names = [str(self.folder / name) for name in files]
        table = {"input": names, "output": "o.jsonl", "model": "m", "prompt": "p"}
        spec = JobSpec.model_validate(table | changes)
        held = ingest.ingest(self.db, input_file.make(spec, self.paths.state), self.paths.spool)
        assert set(results.violations(self.db).values()) == {0}
        return held


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def write(bench: Bench, **files: str) -> None:
    for name, text in files.items():
        (bench.folder / f"{name}.csv").write_text(text)


def test_rows_are_named_by_file_and_line(bench: Bench) -> None:
    write(bench, a="t,u\nx,1\n", b="u,t\n2,y\nbad\n3,z\n")
    held = bench.read("a.csv", "b.csv")
    assert (held.row_count, held.reject_count) == (3, 1)
    assert held.source.columns == ["t", "u"] and held.source.notes == []
    rows = bench.db.execute("SELECT row, file, line, id, data FROM rows ORDER BY row")
    assert rows == [
        (1, 0, 2, "a.csv:2", '{"t":"x","u":"1"}'),
        (2, 1, 2, "b.csv:2", '{"u":"2","t":"y"}'),
        (4, 1, 4, "b.csv:4", '{"u":"3","t":"z"}'),
    ]
    rejected = [(reject.file, reject.line) for reject in results.rejects(bench.db)]
    assert rejected == [(1, 3)]
    assert [Path(name).name for name in held.source.files] == ["a.csv", "b.csv"]


def test_columns_that_differ_are_told(bench: Bench) -> None:
    write(bench, a="t,u\nx,1\n", b="t\ny\n", c="t,u,v\nz,1,2\n")
    held = bench.read("a.csv", "b.csv", "c.csv")
    assert held.source.columns == ["t", "u", "v"]
    assert held.source.notes == [
        "files with other columns than a.csv: b.csv lacks 'u'; c.csv has also 'v'"
    ]


def test_an_id_column_must_be_in_each_file_and_ids_differ_between_files(bench: Bench) -> None:
    write(bench, a="id,t\n1,x\n", b="id,t\n1,y\n", c="t\nz\n")
    held = bench.read("a.csv", "b.csv", id_column="id")
    assert (held.row_count, held.reject_count) == (1, 1)
    with pytest.raises(UsageError, match=r"c.csv: no id column 'id'"):
        bench.read("a.csv", "c.csv", id_column="id")


def test_another_file_name_or_order_is_another_input(bench: Bench) -> None:
    write(bench, a="t\nx\n", b="t\ny\n", c="t\nx\n")
    held = bench.read("a.csv", "b.csv")
    assert bench.read("a.csv", "b.csv") == held
    assert bench.read("b.csv", "a.csv").snapshot == held.snapshot + 1
    assert bench.read("b.csv", "c.csv").snapshot == held.snapshot + 2
    # The name of a single file names no row.
    held = bench.read("a.csv")
    assert bench.read("c.csv") == held


def test_files_in_several_folders_keep_what_tells_them_apart() -> None:
    def short(*names: str) -> list[str]:
        return PartsReader.short_names([Part(name, None, "csv") for name in names])

    assert short("data/a.csv", "data/b.csv") == ["a.csv", "b.csv"]
    assert short("data/x/a.csv", "data/y/a.csv") == ["x/a.csv", "y/a.csv"]
    assert short("a.csv", "data/a.csv") == ["a.csv", "data/a.csv"]
    assert short("in.zip/a.csv", "in.zip/b.csv") == ["a.csv", "b.csv"]


def test_a_reject_of_several_files_names_its_file(bench: Bench) -> None:
    write(bench, a="t,u\nx,1\n", b="t,u\nbad\n")
    bench.read("a.csv", "b.csv")
    error_file.write(bench.db, bench.folder / "e.jsonl", 1, meta=False)
    record = json.loads((bench.folder / "e.jsonl").read_text())
    assert (Path(record["file"]).name, record["line"], record["raw"]) == ("b.csv", 2, "bad")
