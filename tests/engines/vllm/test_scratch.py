"""Temporary files and shared memory of an engine, without an engine."""

import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from llmbatch.engines.vllm.leftovers import Scratch, segments_of, sweep
from tests.engines.vllm import session

SHARED = Path("/dev/shm")

# Makes shared memory and a semaphore as vLLM's processes do, notes them, and is killed with the
# helper that Python keeps for such cases.
KILLED = """
import multiprocessing, os, signal
from multiprocessing import resource_tracker, shared_memory
from llmbatch.engines.vllm.leftovers import Scratch, segments_of
memory = shared_memory.SharedMemory(create=True, size=100)
lock = multiprocessing.get_context("spawn").Lock()
scratch = Scratch()
scratch.note(segments_of([os.getpid()]))
print(*segments_of([os.getpid()]), scratch.path, flush=True)
os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path, used by all here."""
    with tempfile.TemporaryDirectory(prefix="llmbatch-test-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_removed_with_all_that_is_in_it(base: Path) -> None:
    scratch = Scratch()
    (scratch.path / "socket").touch()
    assert scratch.path.parent == base
    scratch.remove()
    scratch.remove()
    assert list(base.iterdir()) == []


def test_shared_memory_that_is_left_is_removed_with_it(base: Path) -> None:
    scratch = Scratch()
    memory = shared_memory.SharedMemory(create=True, size=100)
    assert memory.name in segments_of([os.getpid()])
    scratch.note({memory.name})
    scratch.remove()
    assert not (SHARED / memory.name).exists()
    memory.close()


@pytest.mark.parametrize("start", ["vllm_dist_0a1b", "29500"])
def test_so_is_the_memory_that_parts_of_a_model_share(base: Path, start: str) -> None:
    """Its name begins with that of a file or with a port; Python does not know of it."""
    path = SHARED / f"{start}-tp:0-[0-1]-cpushm_{os.getpid()}"
    with path.open("w+b") as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE):
            scratch = Scratch()
            scratch.note(segments_of([os.getpid()]))
    scratch.remove()
    assert not path.exists()


def test_what_was_killed_with_all_its_helpers_is_swept(base: Path) -> None:
    environment = os.environ | {"TMPDIR": str(base), "PYTHONPATH": str(session.ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    *names, path = killed.stdout.split()
    assert len(names) == 2
    assert all((SHARED / name).exists() for name in names)
    assert Path(path).exists()
    sweep()
    assert not any((SHARED / name).exists() for name in names)
    assert not Path(path).exists()


def test_what_is_in_use_is_not_swept(base: Path) -> None:
    scratch = Scratch()
    sweep()
    assert scratch.path.exists()
    scratch.remove()


def test_what_was_not_made_by_us_is_not_swept(base: Path) -> None:
    """Neither a link, nor a folder without an owner's file, nor what a note names elsewhere."""
    precious = base / "precious"
    precious.mkdir()
    (precious / "owner").touch()
    memory = shared_memory.SharedMemory(create=True, size=100)
    (precious / "shared").write_text(memory.name)
    (base / "llmbatch-engine-link").symlink_to(precious)
    (base / "llmbatch-engine-empty").mkdir()
    noted = base / "llmbatch-engine-noted"
    noted.mkdir()
    (noted / "owner").touch()
    (noted / "shared").write_text(f"../..{precious / 'owner'}\n..\nowner")
    sweep()
    assert (precious / "owner").exists()
    memory.close()
    memory.unlink()  # raises if it was swept
    assert (base / "llmbatch-engine-empty").exists()
    assert not noted.exists()


def test_sockets_fit_where_the_temporary_folder_is_deep(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = base / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    scratch = Scratch()
    assert len(str(scratch.path / ("x" * 36))) <= 107
    scratch.remove()
    assert not scratch.path.exists()


@pytest.mark.skipif(not session.has_vllm(), reason="vLLM is not installed")
def test_temporary_files_go_there_meanwhile(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(base))
    monkeypatch.delenv("VLLM_RPC_BASE_PATH", raising=False)
    scratch = Scratch()
    with scratch.used():
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(scratch.path)
        assert os.environ["VLLM_RPC_BASE_PATH"] == str(scratch.path)
        assert not os.environ["TORCHINDUCTOR_CACHE_DIR"].startswith(str(scratch.path))
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(base)
    assert "VLLM_RPC_BASE_PATH" not in os.environ
    scratch.remove()
