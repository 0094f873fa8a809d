"""A process for work without a known bound: the kernel ends it when it takes too long.

In our process such work would hold up everything else, signals included, because Python hands over
nothing while it is inside one step. The limit is one of processor time, because a machine that is
busy says nothing about the work. What takes much memory for a short time is done in one, too.
"""

import contextlib
import importlib
import json
import signal
import struct
import subprocess
import sys
from typing import IO, Any

from llmbatch.core.errors import HelperError

_LENGTH = struct.Struct("!q")
_NOTHING = -1  # in place of the length of a text
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import serve; serve()"
)
_END_SECONDS = 5.0


class EndedError(Exception):
    """The helper has ended over what it was asked. `overdue`: because the time ran out."""

    def __init__(self, *, overdue: bool) -> None:
        super().__init__()
        self.overdue = overdue


class Helper:
    """Asks one function of another process, which starts with the first `start` or `ask`, and again
    after it was ended. Should ours be killed, it ends with its input."""

    def __init__(self, module: str, settings: Any, limit: float) -> None:
        """`module.make_function(settings)` makes the function, there; `settings` are JSON; `limit`:
        seconds of processor time for each question, and for the making; 0: as long as it takes."""
        self._setup = json.dumps([module, settings, limit])
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, without waiting until it is ready."""
        self._is_ready = False
        self._process = serving(__name__)
        return self._process

    def ask(self, text: str) -> str | None:
        """The function's answer to `text`. Raises EndedError when there is none, HelperError when
        the process does not even start."""
        process = self._process or self.start()
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None
        try:
            if not self._is_ready:
                _write(questions, self._setup)
                _read(answers)
                self._is_ready = True
            _write(questions, text)
            return _read(answers)
        except (OSError, EOFError):
            was_ready = self._is_ready
            overdue = self.end() == -signal.SIGPROF
        if not (was_ready or overdue):
            raise HelperError("a helper process does not start; run the same command again")
        raise EndedError(overdue=overdue)

    def end(self) -> int | None:
        """End the process; the return code that it had."""
        process, self._process = self._process, None
        if process is None:
            return None
        kill(process)
        return process.wait(_END_SECONDS)


def serving(module: str) -> "subprocess.Popen[bytes]":
    """A new process of Python that runs `module.serve()`, behind pipes to its input and output."""
    path = json.dumps([str(place) for place in sys.path])
    return subprocess.Popen(
        # Nothing is imported from the folder that the user happens to be in.
        [sys.executable, "-P", "-c", _CODE.format(module=module), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,  # where no Ctrl-C of a terminal reaches it
    )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill such a process and close its pipes; it is not waited for."""
    with contextlib.suppress(OSError):
        process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]


def allow(seconds: float) -> None:
    """Let this process take so much processor time from now on; the kernel ends it then, because
    the signal is not handled. 0: without a limit."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def serve() -> None:
    """The other process: reads its setup, then answers questions until there are no more."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, OSError):
        module, settings, limit = json.loads(_read(questions) or "")
        imported = importlib.import_module(module)
        allow(limit)
        function = imported.make_function(settings)
        allow(0)
        _write(answers, None)
        while True:
            text = _read(questions) or ""
            allow(limit)
            reply = function(text)
            allow(0)
            _write(answers, reply)


def _write(pipe: IO[bytes], text: str | None) -> None:
    data = b"" if text is None else text.encode("utf-8", "surrogatepass")
    pipe.write(_LENGTH.pack(_NOTHING if text is None else len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> str | None:
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return None if length < 0 else _exactly(pipe, length).decode("utf-8", "surrogatepass")


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data
