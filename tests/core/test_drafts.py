"""No process writes through the draft of another, nor through a link to another place."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from llmbatch.core import drafts, files
from llmbatch.job import edit, folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.monitoring.prometheus import MetricsFile
from llmbatch.pipeline.rows import ingest, input_file
from llmbatch.store.journal import Journal
from llmbatch.store.lock import JobLock
from llmbatch.store.opening import open_store

FORMER = ".{name}.partial"


def write_atomic(final: Path) -> None:
    with files.atomic(final) as stream:
        stream.write(b"new")


def write_text(final: Path) -> None:
    files.replace_text(final, "new")


def write_metrics(final: Path) -> None:
    told = MetricsFile(final, {"job_name": "job"}, lambda text: None)
    told.show({"phase": "planning"}, at_once=True)


def write_job_file(final: Path) -> None:
    final.write_text("[engine]\n")
    edit.set_engine_options(final, {"max_num_seqs": 8}, "a note")


WRITERS: list[Callable[[Path], None]] = [write_atomic, write_text, write_metrics, write_job_file]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("way", ["link", "link to nowhere", "hard link", "pipe", "folder"])
def test_nothing_that_lies_where_a_draft_would_be_is_written_to(
    tmp_path: Path, write: Callable[[Path], None], way: str
) -> None:
    final, foreign = tmp_path / "out.prom", tmp_path / "foreign"
    foreign.write_text("foreign")
    place = tmp_path / FORMER.format(name=final.name)
    ways: dict[str, Callable[[], object]] = {
        "link": lambda: place.symlink_to(foreign),
        "link to nowhere": lambda: place.symlink_to(tmp_path / "nowhere"),
        "hard link": lambda: place.hardlink_to(foreign),
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
    }
    ways[way]()
    write(final)
    assert final.stat().st_size > 0
    assert foreign.read_text() == "foreign"
    assert not (tmp_path / "nowhere").exists()
    assert final.stat().st_nlink == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o007])
def test_a_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~umask


def test_two_that_write_one_name_do_not_write_through_each_other(tmp_path: Path) -> None:
    final = tmp_path / "out.prom"
    with files.atomic(final) as one:
        one.write(b"one, ")
        with files.atomic(final) as other:
            other.write(b"other")
        assert final.read_bytes() == b"other"
        one.write(b"whole")
    assert final.read_bytes() == b"one, whole"
    assert list(tmp_path.iterdir()) == [final]


def test_many_that_write_one_name_at_once_leave_one_of_their_texts(tmp_path: Path) -> None:
    final = tmp_path / "out.prom"
    texts = [str(number) * 5_000 for number in range(4)]
    failed: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for _ in range(100):
                files.replace_text(final, text)
                assert final.read_text() in texts
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert list(tmp_path.iterdir()) == [final]


DIES = """
import os, signal, sys
from pathlib import Path
from llmbatch.core import files
with files.atomic(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_draft_of_a_killed_process_goes_with_the_next_that_writes(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    subprocess.run([sys.executable, "-c", DIES, str(final)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    write_atomic(tmp_path / "out")
    write_atomic(tmp_path / "out.csv.gz")
    assert left.exists(), "that of another name"
    write_atomic(final)
    assert not left.exists()


def test_what_killed_runs_have_left_goes_with_the_name(tmp_path: Path) -> None:
    """No rows have failed this time: neither the error file stays nor a draft of it."""
    final = tmp_path / "out.errors.jsonl"
    for name in (final.name, f".{final.name}.0123abcd.partial", f".{final.name}.partial"):
        (tmp_path / name).write_text("left")
    kept = tmp_path / ".out.errors.jsonl.mine.partial"
    kept.touch()
    files.remove(final)
    assert list(tmp_path.iterdir()) == [kept]


def test_a_draft_that_is_held_stays(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with drafts.draft(final) as (path, _):
        drafts.remove_stale(final)
        assert path.exists()
    assert path.exists()
    drafts.remove_stale(final)
    assert not path.exists()


def test_whoever_closes_the_stream_still_holds_the_draft(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with files.atomic(final) as stream:
        stream.write(b"whole")
        stream.close()
        drafts.remove_stale(final)
    assert final.read_bytes() == b"whole"


@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}"])
def test_any_name_that_a_file_can_have_has_a_draft(tmp_path: Path, letter: str) -> None:
    final = tmp_path / (letter * (255 // len(letter.encode())))
    write_atomic(final)
    write_atomic(final)
    assert [path.name for path in tmp_path.iterdir()] == [final.name]


def test_a_folder_full_of_drafts_is_an_error_not_a_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "00" * size)
    with ExitStack() as held:
        held.enter_context(drafts.draft(tmp_path / "out"))
        with pytest.raises(FileExistsError, match="no draft can be made"):
            write_atomic(tmp_path / "out")


def test_what_comes_from_a_pipe_is_not_kept_through_a_link(tmp_path: Path) -> None:
    foreign, state = tmp_path / "foreign", tmp_path / "out.llmbatch"
    foreign.write_text("foreign")
    state.mkdir()
    (state / "stdin").symlink_to(foreign)
    os.mkfifo(tmp_path / "in.csv")
    table = {"input": str(tmp_path / "in.csv"), "output": "o.jsonl", "model": "m"}
    spec = JobSpec.model_validate(table | {"prompt": "{{ id }}"})
    feeder = threading.Thread(target=(tmp_path / "in.csv").write_text, args=("id\n1\n",))
    feeder.start()
    with open_store(state / "job.duckdb") as db:
        ingest.ingest(db, input_file.make(spec, state), folder.JobPaths(state).spool)
        assert db.scalar("SELECT count(*) FROM rows") == 1
    feeder.join()
    assert foreign.read_text() == "foreign"


def take_lock(path: Path) -> None:
    with JobLock(path):
        pass


def open_journal(path: Path) -> None:
    Journal.open(path).close()


@pytest.mark.parametrize("take", [take_lock, open_journal])
@pytest.mark.parametrize("way", ["link", "pipe"])
def test_neither_lock_nor_journal_is_opened_through_a_link(
    tmp_path: Path, take: Callable[[Path], None], way: str
) -> None:
    foreign, place = tmp_path / "foreign", tmp_path / "place"
    foreign.write_text("foreign")
    if way == "link":
        place.symlink_to(foreign)
    else:
        os.mkfifo(place)
    with pytest.raises(
        Exception, match=r"is a link, which is not followed|is not a file"
    ) as caught:
        take(place)
    assert "OSError" not in type(caught.value).__name__, "no line for its user"
    assert foreign.read_text() == "foreign"
