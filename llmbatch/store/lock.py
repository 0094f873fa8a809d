"""One run at a time: a flock of our own, because DuckDB's lock is dropped too easily."""

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import LockedError

# An onlooker (`holder`) has the lock for a moment; a run that starts just then tries again.
_TRIES = 20
_PAUSE = 0.01


class JobLock:
    """Holds a job for this process. The kernel drops the lock when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        stream = self._path.open("a+b")
        if not _acquired(stream):
            holder = _holder(stream)
            stream.close()
            raise LockedError(f"another run holds this job ({holder}); wait for it")
        self._stream = stream
        self._sign(stream)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _sign(self, stream: BinaryIO) -> None:
        stream.truncate(0)
        signature = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": clock.now().isoformat(timespec="seconds"),
        }
        stream.write(orjson.dumps(signature))
        stream.flush()


def _acquired(stream: BinaryIO) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def holder(path: Path) -> str | None:
    """Who holds the lock at this moment, or None."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _holder(stream)
    return None


def _holder(stream: BinaryIO) -> str:
    stream.seek(0)
    try:
        held = orjson.loads(stream.read())
        return f"pid {held['pid']} on {held['host']} since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "not signed yet"
