"""An output that is proved to be what would be written is left as it is, and no other one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.store import known
from llmbatch.store.opening import open_store
from tests.cli.command import ROOT, QuickJob, environment

ROWS = "id,text\n1,hello\n2,FAIL:refused\n3,good day\n4,bye\n"


@pytest.fixture
def done(quick: QuickJob) -> QuickJob:
    """A job that has an output and an error file."""
    quick.write("in.csv", ROWS)
    assert quick.run().code == 3
    return quick


def places(job: QuickJob) -> dict[str, tuple[int, int]]:
    """The inode of each file, and the time of its last change."""
    found = {name: (job.folder / name).stat() for name in ("out.jsonl", "out.errors.jsonl")}
    return {name: (seen.st_ino, seen.st_mtime_ns) for name, seen in found.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("out.*") if path.is_file()}


def test_is_not_written_again(done: QuickJob) -> None:
    before = places(done)
    again = done.run()
    assert again.code == 3
    assert places(done) == before
    assert done.report()["counts"] == done.report()["counts"] | {"answered": 3, "failed": 1}


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def longer(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"\n")


def back_dated(path: Path) -> None:
    seen = path.stat()
    damaged(path)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


@pytest.mark.parametrize("name", ["out.jsonl", "out.errors.jsonl"])
@pytest.mark.parametrize("harm", [damaged, longer, back_dated, Path.unlink])
def test_is_written_again_where_it_was_harmed(
    done: QuickJob, name: str, harm: Callable[[Path], None]
) -> None:
    before = contents(done.folder)
    harm(done.folder / name)
    assert contents(done.folder) != before
    assert done.run().code == 3
    assert contents(done.folder) == before


OTHERWISE = (
    ["--columns", "text,response"],
    ["--response-column", "said"],
    ["--keep", "failed"],
    ["--meta"],
    ["--limit", "2"],
    ["--where", "id <> '3'"],
    ["--output-format", "csv"],
)


@pytest.mark.parametrize("setting", OTHERWISE, ids=" ".join)
def test_is_written_with_other_settings(
    done: QuickJob, tmp_path_factory: pytest.TempPathFactory, setting: list[str]
) -> None:
    done.run("--overwrite", *setting)
    fresh = QuickJob(tmp_path_factory.mktemp("fresh"), done._forks)
    fresh.write("in.csv", ROWS)
    fresh.run(*setting)
    assert contents(done.folder) == contents(fresh.folder)


def test_what_is_known_is_worth_nothing_of_another_store(done: QuickJob) -> None:
    """Nor where the file was cut, or is no JSON."""
    path = done.state / known.NAME
    whole = path.read_bytes()
    before = contents(done.folder)
    for text in (whole[:-1], b"", b"{}", whole.replace(b'"notices":[]', b'"notices":1')):
        path.write_bytes(text)
        assert done.run().code == 3
        assert contents(done.folder) == before


def test_a_fault_of_the_store_is_found_though_it_was_sound(done: QuickJob) -> None:
    done.run()
    with open_store(done.state / "job.duckdb") as db:
        db.execute("UPDATE planned_rows SET row = 2 WHERE row = 1")
    found = done.run()
    assert found.code not in (0, 3)
    assert "does not hold" in found.error


def test_another_answer_is_written(done: QuickJob) -> None:
    """Also one that has the same length and comes in the same number of attempts."""
    before = done.records()
    with open_store(done.state / "job.duckdb") as db:
        db.execute("UPDATE checkpoints SET committed_at = committed_at + INTERVAL 1 SECOND")
        db.execute("UPDATE attempts SET answer = upper(answer)")
    done.run()
    assert done.records() != before


def test_the_report_is_the_same_from_what_is_known(done: QuickJob) -> None:
    done.run()
    (done.state / known.NAME).unlink()
    done.run()
    one = done.report()
    done.run()
    two = done.report()
    for told in (one, two):
        for name in ("runs", "last_run", "all_runs", "made_by", "resources", "costs", "all_costs"):
            told.pop(name)
    assert json.dumps(one) == json.dumps(two)


def test_is_written_again_by_other_code(
    done: QuickJob, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where it calls itself the same version."""
    copy = tmp_path_factory.mktemp("working-copy")
    shutil.copytree(ROOT / "llmbatch", copy / "llmbatch")
    (copy / "tests").symlink_to(ROOT / "tests")

    def run() -> bytes:
        command = [sys.executable, "-m", "llmbatch", *done.arguments("-q")]
        env = environment() | {"PYTHONPATH": str(copy)}
        assert subprocess.run(command, cwd=done.folder, env=env, check=False).returncode == 3
        return (done.folder / "out.errors.jsonl").read_bytes()

    run()
    before, places_before = run(), places(done)
    assert (run(), places(done)) == (before, places_before)
    writer = copy / "llmbatch/pipeline/rows/row_errors.py"
    writer.write_text(writer.read_text().replace('"message": row', '"reason": row'))
    assert run() == before.replace(b'"message"', b'"reason"') != before
