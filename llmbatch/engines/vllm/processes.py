"""vLLM's processes seen from outside: their output, their signals, their death.

vLLM computes in a child process (the engine core), which may have children of its own (the
workers). They print what they like, they get the terminal's Ctrl-C, and they do not notice
when their parent is killed. Here they are made quiet, deaf to Ctrl-C and mortal.
"""

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, TextIO

from llmbatch.core import clock
from llmbatch.engines.vllm import adoption, leftovers

POLL_SECONDS = 0.2
REAP_SECONDS = 1.0
END_SECONDS = 5.0
END_POLL_SECONDS = 0.02


class _Redirection:
    """The target of this process's output while vLLM works in it; threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._undo = contextlib.ExitStack()

    def begin(self, log: TextIO) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor in (1, 2):
                self._undo.callback(_put_back, os.dup(descriptor), descriptor)
                os.dup2(log.fileno(), descriptor)
            self._undo.enter_context(contextlib.redirect_stdout(log))
            self._undo.enter_context(contextlib.redirect_stderr(log))
            self._undo.callback(log.flush)

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


def _put_back(copy: int, descriptor: int) -> None:
    os.dup2(copy, descriptor)
    os.close(copy)


_redirection = _Redirection()


@contextlib.contextmanager
def output_to(log: TextIO | None) -> Iterator[None]:
    """Send everything printed meanwhile, also by C code and new child processes, to `log`.

    Children inherit the file and keep it. Logging handlers that are made meanwhile keep it too.
    When two threads ask for it at a time, the log of the first gets the output of both.
    """
    if log is None:
        yield
        return
    _redirection.begin(log)
    try:
        yield
    finally:
        _redirection.end()


def _arrived(parent: int, scratch: str) -> "ChildSetup":
    """Runs in a new child: leave the terminal's process group, and end when the parent has.

    A prctl death signal would fire when the *thread* that started us ends; so we poll.
    Then it removes the engine's temporary files, since no other process is left to do so. Returns
    a setup for the child's own children.
    """
    if os.getpid() == parent:  # the configuration was only copied
        return ChildSetup(scratch)
    folder = Path(scratch)
    made = adoption.Offer(adoption.unclaimed, lambda is_spare, names: leftovers.tell(folder, names))
    adoption.offer(scratch, made)
    with contextlib.suppress(OSError):
        # A group of its own gets no Ctrl-C, so what is in flight can drain. Not a session of
        # its own: Linux schedules sessions as wholes, and then vLLM's processes, which yield
        # to each other while they wait, halve their speed on a busy machine (measured).
        os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        shutil.rmtree(scratch, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
    return ChildSetup(scratch)


def log_to(log: TextIO | None, logger: str = "vllm") -> None:
    """Let the handlers of a logger write to `log`: those of an earlier start keep its log. Handlers
    of other kinds, such as those by which a program captures what is logged, stay as they are."""
    for handler in logging.getLogger(logger).handlers if log is not None else ():
        if type(handler) is logging.StreamHandler:
            handler.setStream(log)


class ChildSetup:
    """Travels to a child inside vLLM's configuration and sets the child up on arrival.

    Unpickling is the one moment in which we get to run in the engine core and its workers
    without replacing any part of vLLM. `scratch`: the folder of the engine's temporary files.
    """

    def __init__(self, scratch: str) -> None:
        self.scratch = scratch

    def __reduce__(self) -> tuple[Callable[[int, str], "ChildSetup"], tuple[int, str]]:
        return _arrived, (os.getpid(), self.scratch)


class Processes:
    """The engine's process tree: watched while it lives, ended at close."""

    def __init__(self) -> None:
        self._before = set(multiprocessing.active_children())
        self._roots: list[Any] = []
        self._watched: Sequence[Any] = ()
        self._tree: list[Any] = []
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def roots(self) -> list[Any]:
        """The multiprocessing children started since; others may start their own meanwhile."""
        known = self._before.union(self._roots)
        self._roots += [child for child in multiprocessing.active_children() if child not in known]
        return list(self._roots)

    def remember(self) -> list[int]:
        """Note every process of the tree, so that none is lost when its parent dies first."""
        import psutil

        known = set(self._tree)
        for root in self.roots():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(root.pid)
                known |= {process, *process.children(recursive=True)}
        self._tree = list(known)
        return [process.pid for process in known]

    def watch(self, children: Sequence[Any], on_death: Callable[[], None]) -> None:
        """Call `on_death` once, from another thread, when one of the children has ended."""
        self._watched = children
        sentinels = [child.sentinel for child in children]

        def loop() -> None:
            while sentinels and not self._stop.is_set():
                if connection.wait(sentinels, timeout=POLL_SECONDS):
                    if not self._stop.is_set():
                        on_death()
                    return

        self._watcher = threading.Thread(target=loop, daemon=True, name="engine-watch")
        self._watcher.start()

    def unwatch(self) -> None:
        self._stop.set()

    def has_died(self) -> bool:
        return any(not child.is_alive() for child in self._watched)

    def killed_by(self) -> str | None:
        """The watched child that a signal ended, and the signal, in words; None without one."""
        for child in self._watched:
            if not connection.wait([child.sentinel], timeout=0):
                continue
            child.join(REAP_SECONDS)  # it has ended, but its status may come a moment later
            if child.exitcode is not None and child.exitcode < 0:
                name = signal.Signals(-child.exitcode).name
                return f"its process {child.name} (pid {child.pid}) was ended by {name}"
        return None

    def end(self) -> None:
        """Kill what is left of the tree, and wait for its end."""
        import psutil

        self.unwatch()
        self.remember()
        for process in self._tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._wait()

    def _wait(self) -> None:
        """Wait until all have ended, but not for ever."""
        # multiprocessing must see the end of its own children itself, or it believes for ever
        # that they live.
        for root in self._roots:
            root.join(END_SECONDS)
        until = clock.seconds() + END_SECONDS
        while any(map(_runs, self._tree)) and clock.seconds() < until:
            time.sleep(END_POLL_SECONDS)


def _runs(process: Any) -> bool:
    """True if it has not ended yet. A zombie has ended."""
    import psutil

    try:
        running: bool = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    return running


def run_bounded(work: Callable[[], object], seconds: float) -> bool:
    """Do `work` in a thread of its own, and wait for it no longer than `seconds`.

    A client whose engine is dead may wait for an answer that never comes. False: it still does.
    """
    thread = threading.Thread(target=_quietly, args=(work,), daemon=True)
    thread.start()
    began = clock.seconds()
    thread.join(seconds)
    return clock.seconds() - began < seconds


def _quietly(work: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        work()
