"""Runs that can be watched, killed or made to fail at every change that they make to a folder.

    with Tracer() as tracer:
        whole = tracer.run(["run", ...], folder)              # whole.events: what it did
        killed = tracer.run(["run", ...], folder, at=At(7))   # SIGKILL before the 7th change
        full = tracer.run(["run", ...], folder, faults=[Fault("write", "*.wal", errno.ENOSPC)])

The runs are forked from a process that has imported everything already (`tests.crash.zygote`).
Changes are held apart: one begins only when the one before it has happened.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Self

from tests.crash.events import Event

ROOT = Path(__file__).parents[2]

# Packages that start threads when they are imported, and would be forked with them.
_ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}

# As `tests.cli.command.environment` has them.
_LIKE_A_USER = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "HF_HUB_OFFLINE": "1"}

# A function by name and its arguments: it is called in another process.
Call = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class At:
    """Send a signal at the `number`-th event (from 1): before it happens, or right after it.

    Only events of these `kinds` count (`()` means all), on paths that match `path` (a pattern as
    of `fnmatch`, for the path relative to the folder).
    """

    number: int
    after: bool = False
    signal: int = signal.SIGKILL
    kinds: tuple[str, ...] = ()
    path: str = "*"

    def counts(self, event: Event) -> bool:
        return (not self.kinds or event.kind in self.kinds) and fnmatch(event.path, self.path)


@dataclass(frozen=True)
class Fault:
    """Calls of a kind on matching paths fail with `errno`: from the `first` one, `count` times.

    `path` is a pattern as of `fnmatch`, for the path relative to the folder. `count` -1: always.
    `since`: only after an event on this path.
    """

    kind: str
    path: str
    errno: int
    first: int = 1
    count: int = -1
    since: str = ""


@dataclass(frozen=True)
class Order:
    """A request to the zygote: the command, and the way to run it."""

    arguments: list[str]
    folder: Path
    cwd: Path
    call: Call | None
    prepare: Sequence[Call]
    at: At | None
    faults: Sequence[Fault]
    traced: bool
    data: bool
    env: Mapping[str, str]
    timeout: float


@dataclass
class Trace:
    """The result of a run. `code` is negative when a signal ended it, as in `subprocess`."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    events: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    # Whether the signal of `at` was sent.
    struck: bool = False

    @property
    def killed(self) -> bool:
        return self.code < 0


class TraceError(Exception):
    """The run could not be traced, or did not end in time; nothing of it is left running."""


class Tracer:
    """Starts runs one after the other. Leaving the block leaves no process behind."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self.obstacle: str | None = None

    def __enter__(self) -> Self:
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.zygote", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | _LIKE_A_USER | _ONE_THREAD,
            )
        self._connection = ours
        # The reason for which nothing can be traced here, if there is one.
        self.obstacle = self._answer()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        assert self._connection is not None
        self._connection.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The zygote's."""
        assert self._process is not None
        return self._process.pid

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        cwd: Path | None = None,
        call: Call | None = None,
        prepare: Sequence[Call] = (),
        at: At | None = None,
        faults: Sequence[Fault] = (),
        traced: bool = True,
        data: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Trace:
        """Run the command line `llmbatch ARGUMENTS` (or `call`) in `cwd` and report what it did.

        Changes under `folder` are events; `data`: with the bytes written, for a replay.
        `prepare` is called in the new process first. Not `traced`: no events, only the outcome.
        """
        assert self._connection is not None
        order = Order(
            list(arguments), folder, cwd or folder, call, prepare, at, faults, traced, data,
            env or {}, timeout,
        )  # fmt: skip
        self._connection.send(order)
        trace = self._answer()
        if isinstance(trace, str):
            raise TraceError(trace)
        assert isinstance(trace, Trace)
        return trace

    def _answer(self) -> Any:
        assert self._connection is not None
        try:
            return self._connection.recv()
        except EOFError as error:
            raise TraceError("the zygote has ended; see stderr") from error
