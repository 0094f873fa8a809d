"""One run at a time; the kernel keeps the lock, so a killed run leaves none behind."""

import fcntl
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from llmbatch.core import clock
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


# The holder leaves a child behind, which has inherited its lock and lives on.
ORPHAN = """
import os, sys
from pathlib import Path
from llmbatch.store.lock import JobLock
with JobLock(Path({path!r})):
    if os.fork():
        print("ready", flush=True)
    sys.stdin.read()
"""

# Twenty at the same moment; a winner keeps the job until all have tried.
RUSH = """
import os
from pathlib import Path
from llmbatch.core.errors import LockedError
from llmbatch.store.lock import JobLock
reading, writing = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)
        try:
            with JobLock(Path({path!r})):
                os.write(1, b"won\\n")
                os.read(0, 1)  # until the test is over
        except LockedError:
            os.write(1, b"lost\\n")
        os._exit(0)
print("ready", flush=True)
os.close(writing)
for _ in range(20):
    os.wait()
"""


@contextmanager
def held(path: Path, **signature: object) -> Iterator[None]:
    """Somebody holds the lock and has signed it so."""
    with path.open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        known = {"pid": os.getpid(), "host": socket.gethostname(), "since": "2026-01-01T00:00:00"}
        stream.truncate(0)
        stream.write(orjson.dumps(known | signature))
        stream.flush()
        yield


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_that_an_orphan_of_a_dead_run_has_inherited_is_taken_over(
    path: Path, spawn: Spawn
) -> None:
    process = spawn(ORPHAN.format(path=str(path)))
    with pytest.raises(LockedError), JobLock(path):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert f"pid {process.pid} " in str(lock.holder(path)), "the orphan holds it"
    with JobLock(path):
        assert f"pid {os.getpid()} " in str(lock.holder(path))
        with pytest.raises(LockedError, match=f"pid {os.getpid()} "), JobLock(path):
            pass
    assert lock.holder(path) is None


def test_a_lock_from_before_the_machine_was_started_is_taken_over(path: Path) -> None:
    # Its pid is somebody else's by now.
    with held(path, boot="another"), JobLock(path):
        assert f"pid {os.getpid()} " in str(lock.holder(path))


@pytest.mark.parametrize("boot", [{}, {"boot": None}])
def test_without_a_boot_the_pid_decides(path: Path, boot: dict[str, None]) -> None:
    with held(path, pid=dead_pid(), **boot), JobLock(path):
        pass
    with held(path, **boot), pytest.raises(LockedError), JobLock(path):
        pass


def test_a_lock_of_another_host_is_never_taken_over(path: Path) -> None:
    # Nothing is known of what lives there.
    with held(path, host="elsewhere", pid=dead_pid(), boot="another"):
        with pytest.raises(LockedError, match=r"on elsewhere since 2026-01-01"), JobLock(path):
            pass
        assert "on elsewhere" in str(lock.holder(path))


def test_a_holder_of_another_user_is_alive(path: Path) -> None:
    with held(path, pid=1), pytest.raises(LockedError, match="pid 1 on"), JobLock(path):
        pass


def test_of_twenty_that_take_over_one_wins(path: Path, spawn: Spawn) -> None:
    orphan = spawn(ORPHAN.format(path=str(path)))
    os.kill(orphan.pid, signal.SIGKILL)
    orphan.wait()
    rush = spawn(RUSH.format(path=str(path)))
    assert rush.stdout is not None
    said = Counter(rush.stdout.readline().strip() for _ in range(20))
    assert said == {"won": 1, "lost": 19}


def test_one_that_waits_gets_the_job_when_it_is_free(path: Path, spawn: Spawn) -> None:
    process = spawn(HOLD.format(path=str(path)))
    with pytest.raises(LockedError), JobLock(path, clock.seconds() + 0.1):
        pass
    threading.Timer(0.3, process.kill).start()
    with JobLock(path, clock.seconds() + 30):
        assert f"pid {os.getpid()} " in str(lock.holder(path))


def test_a_folder_that_was_removed_is_made_again(path: Path) -> None:
    removed = path.parent / "removed" / "job.lock"
    with JobLock(removed):
        assert str(lock.holder(removed)).startswith(f"pid {os.getpid()} ")
