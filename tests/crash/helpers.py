"""The helper processes of a forked run (`core/bounded_process`), forked from it in turn.

A new Python for each would import again what the run has imported, for a second or more.
"""

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from functools import cache
from subprocess import TimeoutExpired
from typing import IO, Any, NoReturn, cast

from llmbatch.core import bounded_process
from llmbatch.quality import languages


def prepare() -> None:
    """Make once what helpers would load anew: the models of languages, for all forks."""
    languages.make_function = cache(languages.make_function)
    languages.make_function(languages._COUNTED)('["a text"]')
    languages.make_function(languages._RANKED)('"a text"')


def replace() -> None:
    """From now on helpers of this process are forked."""
    bounded_process.serving = cast(Any, Forked)


class Forked:
    """A helper, with the narrow part of Popen that is used."""

    def __init__(self, module: str) -> None:
        asked, self._asking = os.pipe()
        self._answering, answered = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _serve(module, asked, answered)
        os.close(asked)
        os.close(answered)
        self.stdin: IO[bytes] = os.fdopen(self._asking, "wb")
        self.stdout: IO[bytes] = os.fdopen(self._answering, "rb")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The code with which it has ended; None as long as it has not."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise TimeoutExpired("helper", timeout)
            time.sleep(0.001)
        return code


def _serve(module: str, asked: int, answered: int) -> NoReturn:
    """Be the helper, in the new process, with nothing of the run's but what it has imported."""
    try:
        gc.disable()  # what the run has is not this process's to close
        os.setpgid(0, 0)
        _forget_signals()
        nothing = os.open(os.devnull, os.O_WRONLY)
        for target, descriptor in enumerate((asked, answered, nothing)):
            os.dup2(descriptor, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdin, sys.stdout = os.fdopen(0, "r"), os.fdopen(1, "w")
        importlib.import_module(module).serve()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _forget_signals() -> None:
    """Handle them as a new process does."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
