"""One run at a time: a flock of our own, because DuckDB's lock is dropped too easily."""

import fcntl
import os
import socket
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import LockedError


class JobLock:
    """Holds a job for this process. The kernel drops the lock when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        stream = self._path.open("a+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(stream)
            stream.close()
            raise LockedError(f"another run holds this job ({holder}); wait for it") from error
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
