"""A program of ours in a process of its own: bounded in time, and ended with its children."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping

from llmbatch.core import clock

_LAST_WORDS = 4_000
"""Bytes of what a process said at last."""
_LAST_SECONDS = 1.0


class ChildError(Exception):
    """The process did not do its work; the reason, in one line."""


def lines(
    module: str, *arguments: str, seconds: float, environment: Mapping[str, str] | None = None
) -> Generator[str, None, None]:
    """The lines that `python -m module` prints, as they come. Raises ChildError if it fails, or is
    still at work after so many seconds; then, and if the caller stops early, it is ended."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    ) as process:
        try:
            yield from _read(process, clock.seconds() + seconds, seconds)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it, after a moment in which it can remove its files. Its own children are in its group,
    or end with it."""
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LAST_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def _read(process: "subprocess.Popen[bytes]", until: float, seconds: float) -> Iterator[str]:
    assert process.stdout is not None
    assert process.stderr is not None
    begun, said = b"", b""
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, until - clock.seconds()))
            if not ready and clock.seconds() >= until:
                raise ChildError(f"not done after {seconds:.0f} seconds")
            for key, _ in ready:
                piece = os.read(key.fd, 65_536)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    said = (said + piece)[-_LAST_WORDS:]
                else:
                    *whole, begun = (begun + piece).split(b"\n")
                    yield from (line.decode(errors="replace") for line in whole)
    _require_success(process, said)


def _require_success(process: "subprocess.Popen[bytes]", said: bytes) -> None:
    code = process.wait()
    if code < 0:
        raise ChildError(f"ended by {signal.Signals(-code).name}")
    if code:
        last = [line.strip() for line in said.decode(errors="replace").splitlines()]
        raise ChildError(next(filter(None, reversed(last)), f"exit code {code}"))
