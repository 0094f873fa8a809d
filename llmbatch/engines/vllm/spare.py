"""A spare process: started early, it has imported vLLM when a process of vLLM's is to be started.

A process of vLLM's begins with an import of many seconds: the engine core's begins when this
process has done its own, and the worker's after that. A spare imports meanwhile. It becomes the
process that vLLM asks for only where a new interpreter would be the same: one with the same
variables from its first instruction on, since libraries read them when they are loaded.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing import resource_tracker, spawn
from typing import Any, TextIO

from llmbatch.core import clock

# What an engine core imports. What a version does not have is left out.
IMPORTS = (
    "vllm",
    "vllm.model_executor.model_loader.weight_utils",
    "vllm.v1.engine.core",
    "vllm.v1.executor.multiproc_executor",
    "vllm.v1.structured_output",
)
READY = b"r"
LENGTH_BYTES = 8
# A spare that is wanted before it has imported all gets as long again as it has had, and so many
# seconds at least and at most: a new interpreter would not take longer.
_LEAST_PATIENCE = 10.0
_MOST_PATIENCE = 180.0
_POLL_SECONDS = 0.5
_MAIN = (
    "import sys; sys.path[:] = {path!r}; "
    "from llmbatch.engines.vllm.spare_main import main; main({order!r})"
)


class GoneError(Exception):
    """A spare has ended, or cannot be used."""


class Spare:
    """A spare process. It can be given one process to be (`hand`), or ended."""

    def __init__(self, pid: int, control: socket.socket, expected: Mapping[str, str]) -> None:
        """`control`: its other end is the spare's; `expected`: the variables that the process it
        can be would be started with."""
        self.pid = pid
        self.control = control
        self._expected = dict(expected)
        self._executable = spawn.get_executable()
        self._given = threading.Lock()
        self._began = clock.seconds()
        self.is_closed = False

    def fits(self) -> bool:
        """True if a new interpreter, started now, would be the same."""
        if self._given.locked():
            return False
        return dict(os.environ) == self._expected and spawn.get_executable() == self._executable

    def hand(self, descriptors: Sequence[int]) -> None:
        """Make it the process whose pipes these are. Raises GoneError where it has ended, or takes
        too long; it is ended then."""
        if not self._given.acquire(blocking=False):
            raise GoneError("it is another process by now")
        try:
            self._await_ready()
            variables = json.dumps(dict(os.environ)).encode()
            length = len(variables).to_bytes(LENGTH_BYTES, "big")
            socket.send_fds(self.control, [length], descriptors)
            self.control.sendall(variables)
        except (OSError, ValueError, GoneError) as error:
            self.kill()
            raise GoneError(str(error)) from error
        finally:
            self.control.close()

    def end(self) -> None:
        """End it, unless it has become a process of vLLM's."""
        self.is_closed = True
        if self._given.acquire(blocking=False):
            self.control.close()
            self.kill()
        else:
            # Who is about to hand something over learns that it is too late.
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_RDWR)

    def _await_ready(self) -> None:
        now = clock.seconds()
        until = now + min(max(now - self._began, _LEAST_PATIENCE), _MOST_PATIENCE)
        while not select.select([self.control], [], [], _POLL_SECONDS)[0]:
            if clock.seconds() > until:
                raise GoneError("it takes too long")
        if self.control.recv(1) != READY:
            raise GoneError("it has ended")

    def kill(self) -> None:
        """End it, whatever it is by now. Its own spares end when they see that it has."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def start(
    environment: Mapping[str, str],
    expected: Mapping[str, str],
    workers: int,
    log: TextIO | None,
    imports: Sequence[str] = IMPORTS,
) -> Spare:
    """A new spare for an engine core, which makes spares of its own for its `workers`.

    `environment`: the variables that it is started with: those of a worker; `expected`: those of
    the engine core. Raises OSError.
    """
    tracker: Any = resource_tracker.getfd()
    ours, theirs = socket.socketpair()
    with theirs:
        order = {
            "control": theirs.fileno(),
            "tracker": tracker,
            "parent": os.getpid(),
            "cores": sorted(os.sched_getaffinity(0)),
            "workers": workers,
            "imports": list(imports),
        }
        process = subprocess.Popen(
            [sys.executable, *_flags(), "-c", _MAIN.format(path=sys.path, order=order)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno(), tracker],
        )
    process.returncode = 0  # who becomes its parent by multiprocessing waits for its end
    return Spare(process.pid, ours, expected)


def _flags() -> list[str]:
    """The interpreter's flags, as a child of multiprocessing gets them."""
    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined, no-any-return]


def end_all(spares: Iterable[Spare]) -> None:
    """End those that were given nothing."""
    for each in spares:
        each.end()
