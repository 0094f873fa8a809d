"""One run at a time: a flock of llmbatch, because DuckDB's lock is dropped too easily."""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from llmbatch.core import clock, drafts
from llmbatch.core.errors import LockedError, UsageError
from llmbatch.store import trust

_LOCKS = Path("/proc/locks")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE = Path("/proc/self/ns/pid")
# `holder` has the lock for a moment; a run that starts at that time tries again.
_TRIES = 20
_PAUSE = 0.01
_WAIT = 0.5


class SignedLock:
    """A lock of the file at `path`, signed by the process that has it.

    The kernel drops the lock when the process dies. If another process has inherited it (a daemon
    that an engine has left), no run works any more: when the run that signed it is dead, or from
    before the start of the machine, the lock is taken over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def take(self) -> bool:
        """Take the lock; False if another process has it. Raises UsageError for a file that cannot
        be opened."""
        with _guarded(self._path.parent):
            stream = self._open()
            if not _acquire(stream):
                stale = _is_stale(_read_signature(stream))
                stream.close()
                if not stale or not self._unlinked():
                    return False
                stream = self._open()
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_named(self._path, stream):
                # The run before has just removed the folder, since it never began.
                stream.close()
                return False
            _sign(stream)
            self._stream = stream
            return True

    def release(self) -> None:
        """Let others take it."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _unlinked(self) -> bool:
        """Remove the file of a run that is gone; False if that is another user's to do."""
        try:
            self._path.unlink()
        except PermissionError:
            return False
        return True

    def _open(self) -> BinaryIO:
        try:
            return self._opened()
        except OSError as error:
            raise UsageError(f"{self._path}: cannot be opened: {error.strerror}") from error

    def _opened(self) -> BinaryIO:
        return drafts.append(self._path)


class JobLock(SignedLock):
    """Holds a job for this process. A context manager."""

    def __init__(
        self, path: Path, wait_until: float = 0.0, before_wait: Callable[[], None] = lambda: None
    ) -> None:
        """`wait_until`: the time (clock.seconds()) until which to wait for another run to end;
        `before_wait` is called before each such wait."""
        super().__init__(path)
        self._wait_until = wait_until
        self._before_wait = before_wait

    def __enter__(self) -> Self:
        trust.check(self._path.parent)
        while not self.take():
            if clock.seconds() >= self._wait_until:
                who = holder(self._path) or "it has just ended"
                raise LockedError(f"another run holds this job ({who}); wait for it")
            self._before_wait()
            time.sleep(_WAIT)
        trust.settle(self._path.parent)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._stream is not None:
            trust.settle(self._path.parent)
            self.release()


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """One process at a time takes and signs locks in `folder`: a held lock is a signed one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_named(path: Path, stream: BinaryIO) -> bool:
    """True if the path still names the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _acquire(stream: BinaryIO) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def _sign(stream: BinaryIO) -> None:
    stream.truncate(0)
    signature = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "boot": _boot_id(),
        "pids": _pid_space(),
        "since": clock.now().isoformat(timespec="seconds"),
    }
    # A full disk must not keep a run from its lock: the signature is only shown.
    with suppress(OSError):
        stream.write(orjson.dumps(signature))


def _boot_id() -> str | None:
    """The name of the present boot of the machine."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def _pid_space() -> str | None:
    """The name of the space of our pids: containers have their own."""
    try:
        return str(_PID_SPACE.readlink())
    except OSError:
        return None


def _read_signature(stream: BinaryIO) -> dict[str, Any] | None:
    try:
        stream.seek(0)
        found = orjson.loads(stream.read())
    except (OSError, ValueError):
        return None
    complete = isinstance(found, dict) and {"pid", "host", "since"} <= found.keys()
    return found if complete else None


def _is_stale(signature: dict[str, Any] | None) -> bool:
    """True if the run that signed is known to be gone. Of another host nothing is known."""
    if signature is None or signature["host"] != socket.gethostname():
        return False
    then, now = signature.get("boot"), _boot_id()
    if then and now and then != now:
        return True
    theirs, ours = signature.get("pids"), _pid_space()
    if theirs and ours and theirs != ours:
        return False
    try:
        os.kill(signature["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def holder(path: Path) -> str | None:
    """The process that holds the lock at this moment, in words, or None."""
    try:
        # A link is not followed, and a pipe is not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            signature = _read_signature(stream)
            if signature is None:
                return "not signed yet"
            return f"pid {signature['pid']} on {signature['host']} since {signature['since']}"
    return None


def other_holder(path: Path) -> int | None:
    """The pid of another process that has a lock on the file, as far as Linux reports it. The file
    is not opened: closing it again would drop the locks of this process."""
    try:
        status, locks = path.stat(), _LOCKS.read_text().splitlines()
    except OSError:
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    fields = (entry.split() for entry in locks)
    # A process that waits for a lock has an arrow before it.
    pids = [int(field[4]) for field in fields if field[1] == "POSIX" and field[5] == place]
    return next((pid for pid in pids if pid > 0 and pid != os.getpid()), None)
