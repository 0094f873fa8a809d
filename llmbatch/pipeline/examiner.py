"""Checks of answers in a process of their own, bounded in time.

A pattern may try exponentially many ways to match an answer that almost fits, and a schema has more
such corners. In our process that would hold up everything else, signals included, because Python
hands over nothing while it matches. So the check is done by a helper that the kernel ends when it
takes too long: in processor time, because a machine that is busy says nothing about an answer.
"""

import contextlib
import json
import signal
import struct
import subprocess
import sys
from dataclasses import astuple
from typing import IO, Self

from llmbatch.core.errors import HelperError
from llmbatch.core.records import Constraint
from llmbatch.pipeline import checks

LIMIT = 2.0
"""Seconds of processor time that the check of one answer may take."""

_LENGTH = struct.Struct("!q")
_CORRECT = -1  # in place of the length of a reason
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from llmbatch.pipeline import examiner; examiner.serve()"
)
_END_SECONDS = 5.0


class Examiner:
    """The check of one constraint, whose helper starts while the engine does.

    A context manager, which leaves no process behind; should ours be killed, the helper ends with
    its input.
    """

    def __init__(self, constraint: Constraint | None, limit: float = LIMIT) -> None:
        """`limit`: seconds of processor time for an answer."""
        self._constraint = constraint
        self._limit = limit
        self._check = checks.of(constraint)
        self._helper: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    def __enter__(self) -> Self:
        if not checks.is_surely_quick(self._constraint, ""):
            self._start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def __call__(self, text: str) -> str | None:
        """Why an answer breaks the constraint, or that this could not be told in time."""
        if checks.is_surely_quick(self._constraint, text):
            return self._check(text)
        asked, told = self._ready()
        try:
            _write(asked, text)
            return _read(told)
        except (OSError, EOFError):
            return self._why_it_ended()

    def _start(self) -> "subprocess.Popen[bytes]":
        path = json.dumps([str(place) for place in sys.path])
        self._is_ready = False
        self._helper = subprocess.Popen(
            # Nothing is imported from the folder that the user happens to be in.
            [sys.executable, "-P", "-c", _CODE, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # where no Ctrl-C of a terminal reaches it
        )
        return self._helper

    def _ready(self) -> tuple[IO[bytes], IO[bytes]]:
        """The pipes to and from a helper that knows the constraint."""
        helper = self._helper or self._start()
        asked, told = helper.stdin, helper.stdout
        assert self._constraint is not None
        assert asked is not None
        assert told is not None
        if not self._is_ready:
            try:
                _write(asked, json.dumps([*astuple(self._constraint), self._limit]))
                _read(told)
            except (OSError, EOFError) as error:
                raise HelperError(
                    "the process that checks answers does not start; run the same command again"
                ) from error
            self._is_ready = True
        return asked, told

    def _why_it_ended(self) -> str:
        helper = self._helper
        assert helper is not None
        self._end()
        if helper.returncode == -signal.SIGPROF:
            return f"the check took longer than {self._limit:g} s"
        return "the check of this answer broke down"

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is None:
            return
        with contextlib.suppress(OSError):
            helper.kill()
        for pipe in (helper.stdin, helper.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        helper.wait(_END_SECONDS)


def serve() -> None:
    """The helper: a constraint and a limit, then answers, until there are no more."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, OSError):
        kind, value, limit = json.loads(_read(asked) or "")
        check = checks.of(Constraint(kind, value))
        _write(told, None)
        while True:
            text = _read(asked) or ""
            # When it runs out the kernel ends this process, which does not handle the signal.
            signal.setitimer(signal.ITIMER_PROF, limit)
            reason = check(text)
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write(told, reason)


def _write(pipe: IO[bytes], text: str | None) -> None:
    data = b"" if text is None else text.encode("utf-8", "surrogatepass")
    pipe.write(_LENGTH.pack(_CORRECT if text is None else len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> str | None:
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return None if length < 0 else _exactly(pipe, length).decode("utf-8", "surrogatepass")


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data
