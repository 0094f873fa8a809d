"""One run at a time; the kernel keeps the lock, so a killed run leaves none behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.core.errors import LockedError
from llmbatch.store import lock
from llmbatch.store.lock import JobLock

Spawn = Callable[[str], "subprocess.Popen[str]"]

HOLD = """
import sys
from pathlib import Path
from llmbatch.store.lock import JobLock
with JobLock(Path({path!r})):
    print("ready", flush=True)
    sys.stdin.read()
"""

LOOK = """
from pathlib import Path
from llmbatch.store import lock
print("ready", flush=True)
while True:
    lock.holder(Path({path!r}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.lock"


def test_a_second_process_is_told_who_holds_the_job(path: Path, spawn: Spawn) -> None:
    holder = spawn(HOLD.format(path=str(path)))
    with pytest.raises(LockedError) as caught, JobLock(path):
        pass
    message = str(caught.value)
    assert f"pid {holder.pid} on {socket.gethostname()} since 20" in message
    assert caught.value.exit_code == 75


def test_being_refused_does_not_disturb_the_holder(path: Path, spawn: Spawn) -> None:
    spawn(HOLD.format(path=str(path)))
    signature = path.read_bytes()
    for _ in range(2):
        with pytest.raises(LockedError), JobLock(path):
            pass
    assert path.read_bytes() == signature


def test_a_killed_holder_holds_nothing(path: Path, spawn: Spawn) -> None:
    process = spawn(HOLD.format(path=str(path)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert lock.holder(path) is None
    with JobLock(path):
        assert f"pid {os.getpid()} " in str(lock.holder(path))


def test_a_job_is_free_again_after_its_run(path: Path) -> None:
    for _ in range(2):
        with JobLock(path):
            pass
    assert lock.holder(path) is None


def test_an_error_in_the_run_frees_the_job(path: Path) -> None:
    with pytest.raises(ValueError, match="x"), JobLock(path):
        raise ValueError("x")
    assert lock.holder(path) is None


def test_the_holder_is_named_to_onlookers(path: Path, spawn: Spawn) -> None:
    assert lock.holder(path) is None
    process = spawn(HOLD.format(path=str(path)))
    assert str(lock.holder(path)).startswith(f"pid {process.pid} on {socket.gethostname()} since ")


def test_looking_makes_no_file(path: Path) -> None:
    lock.holder(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_a_lock_whose_signature_is_not_there_yet_still_holds(path: Path, content: bytes) -> None:
    with JobLock(path):
        path.write_bytes(content)
        assert lock.holder(path) == "not signed yet"
        with pytest.raises(LockedError, match="not signed yet"), JobLock(path):
            pass


def test_a_longer_signature_of_the_former_holder_leaves_no_rest(path: Path) -> None:
    path.write_bytes(b'{"pid": 1, "host": "' + b"h" * 500 + b'", "since": "then"}')
    with JobLock(path):
        assert f"pid {os.getpid()} on {socket.gethostname()} " in str(lock.holder(path))


def test_onlookers_do_not_keep_a_run_from_starting(path: Path, spawn: Spawn) -> None:
    path.touch()
    spawn(LOOK.format(path=str(path)))
    for _ in range(500):
        with JobLock(path):
            pass
