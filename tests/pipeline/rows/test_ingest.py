"""The input is read once, whole, and again only when its content is another."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Reject
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import ingest, input_file
from llmbatch.store import results, snapshots
from llmbatch.store.opening import open_store
from llmbatch.store.snapshots import Snapshot

THREE = b'{"id": "007", "t": 1.10}\n{"id": "8", "t": 2}\n{"id": "9", "t": 3}\n'


class Bench:
    """A store, and an input to read into it."""

    def __init__(self, folder: Path) -> None:
        self.input = folder / "in.jsonl"
        self.paths = JobPaths(folder / "state")
        self.paths.state.mkdir()
        self.db = open_store(self.paths.store)

    def read(self, **changes: Any) -> Snapshot:
        table = {"input": str(self.input), "output": "o.jsonl", "model": "m", "prompt": "p"}
        spec = JobSpec.model_validate(table | changes)
        held = ingest.ingest(self.db, input_file.make(spec, self.paths.state), self.paths.spool)
        assert not self.paths.spool.exists()
        assert set(results.violations(self.db).values()) == {0}
        return held

    def rows(self) -> list[tuple[int, str]]:
        return [row for window in snapshots.windows(self.db, 100) for row in window]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.input.write_bytes(THREE)
    return bench


def test_rows_are_kept_as_they_were_written(bench: Bench) -> None:
    assert bench.read().row_count == 3
    assert bench.rows() == list(enumerate(THREE.decode().splitlines(), start=1))


def test_a_content_that_is_held_is_not_read_again(bench: Bench) -> None:
    held = bench.read()
    os.utime(bench.input, (0, 0))
    assert bench.read() == held
    bench.input.write_bytes(THREE + b'{"id": "10"}\n')
    assert bench.read().snapshot == held.snapshot + 1


def test_another_way_of_reading_is_another_content(bench: Bench) -> None:
    held = bench.read()
    assert bench.read(id_column="id").snapshot == held.snapshot + 1


def test_rejects_keep_their_place(bench: Bench) -> None:
    bench.input.write_bytes(b'{"id": "1"}\n{"id":\n\n{"id": "2"}\n')
    held = bench.read()
    assert (held.row_count, held.reject_count) == (2, 1)
    assert [row for row, _ in bench.rows()] == [1, 3]
    assert [reject.line for reject in results.rejects(bench.db)] == [2]


def test_ids_are_told_as_they_were_written(bench: Bench) -> None:
    bench.read(id_column="id")
    assert bench.db.execute("SELECT id FROM rows ORDER BY row") == [("007",), ("8",), ("9",)]
    bench.read(id_column="t")
    assert bench.db.execute("SELECT id FROM rows ORDER BY row") == [("1.10",), ("2",), ("3",)]


@pytest.mark.parametrize("record", [b"{}", b'{"id": ""}', b'{"id": null}'])
def test_a_row_without_an_id_is_a_reject(bench: Bench, record: bytes) -> None:
    bench.input.write_bytes(b'{"id": "1"}\n' + record + b"\n")
    bench.read(id_column="id")
    assert list(results.rejects(bench.db)) == [Reject(2, "no id in column 'id'", record.decode())]


def test_an_id_column_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a\n")
    with pytest.raises(UsageError, match=r"no id column 'ID' \(did you mean 'id'\?\)"):
        bench.read(input=str(tmp_path / "in.csv"), id_column="ID")


def test_stdin_is_read_like_a_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(THREE)))
    assert bench.read(input="-", input_format="jsonl").row_count == 3


def test_a_pipe_that_has_a_name_is_read_like_a_file(bench: Bench) -> None:
    """The pipe that a shell makes of `<(command)`: it can be read only once."""
    reading, writing = os.pipe()
    os.write(writing, THREE)
    os.close(writing)
    held = bench.read(input=f"/dev/fd/{reading}", input_format="jsonl")
    os.close(reading)
    assert held.row_count == 3
