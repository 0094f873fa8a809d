"""vLLM's processes seen from outside: their output, their signals, their death.

vLLM computes in a child process (the engine core), which may have children of its own (the
workers). They print what they like, they get the terminal's Ctrl-C, and they do not notice
when their parent is killed. Here they are made quiet, deaf to Ctrl-C and mortal.
"""

import contextlib
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, TextIO

from llmbatch.core import clock

POLL_SECONDS = 0.2
TERMINATE_SECONDS = 5.0
LOG_TAIL = 400_000  # characters in which the reason of a failure is looked for


@contextlib.contextmanager
def output_to(log: TextIO | None) -> Iterator[None]:
    """Send everything printed meanwhile, also by C code and new child processes, to `log`.

    Children inherit the file and keep it. Logging handlers that are made meanwhile keep it too.
    """
    if log is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    try:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            yield
    finally:
        log.flush()
        for descriptor, copy in enumerate(saved, start=1):
            os.dup2(copy, descriptor)
            os.close(copy)


def _arrived(parent: int) -> "ChildSetup":
    """Runs in a new child: leave the terminal's process group, and end when the parent has.

    A prctl death signal would fire when the *thread* that started us ends; so we poll.
    Returns a setup for the child's own children.
    """
    if os.getpid() == parent:  # the configuration was only copied
        return ChildSetup()
    with contextlib.suppress(OSError):
        # A group of its own gets no Ctrl-C, so what is in flight can drain. Not a session of
        # its own: Linux schedules sessions as wholes, and then vLLM's processes, which yield
        # to each other while they wait, halve their speed on a busy machine (measured).
        os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
    return ChildSetup()


def log_to(log: TextIO | None, logger: str = "vllm") -> None:
    """Let the handlers of a logger write to `log`: those of an earlier start keep its log."""
    for handler in logging.getLogger(logger).handlers if log is not None else ():
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(log)


class ChildSetup:
    """Travels to a child inside vLLM's configuration and sets the child up on arrival.

    Unpickling is the one moment in which we get to run in the engine core and its workers
    without replacing any part of vLLM.
    """

    def __reduce__(self) -> tuple[Callable[[int], "ChildSetup"], tuple[int]]:
        return _arrived, (os.getpid(),)


class Processes:
    """The engine's process tree: watched while it lives, ended at close."""

    def __init__(self) -> None:
        self._before = set(multiprocessing.active_children())
        self._tree: list[Any] = []
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def roots(self) -> list[Any]:
        """The multiprocessing children started since; others may start their own meanwhile."""
        return [child for child in multiprocessing.active_children() if child not in self._before]

    def remember(self) -> None:
        """Note every process of the tree, so that none is lost when its parent dies first."""
        import psutil

        known = set(self._tree)
        for root in self.roots():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(root.pid)
                known |= {process, *process.children(recursive=True)}
        self._tree = list(known)

    def watch(self, sentinels: Sequence[int], on_death: Callable[[], None]) -> None:
        """Call `on_death` once, from another thread, when one of the processes has ended."""

        def loop() -> None:
            while not self._stop.is_set():
                if connection.wait(sentinels, timeout=POLL_SECONDS):
                    if not self._stop.is_set():
                        on_death()
                    return

        self._watcher = threading.Thread(target=loop, daemon=True, name="engine-watch")
        self._watcher.start()

    def unwatch(self) -> None:
        self._stop.set()

    def end(self) -> None:
        """Terminate what is left of the tree, then kill what does not listen."""
        import psutil

        self.unwatch()
        self.remember()
        roots, self._tree, tree = self.roots(), [], self._tree
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        # multiprocessing must see the end of its own children itself, or it believes for ever
        # that they live; so these are joined, and only the others are waited for by psutil.
        for root in roots:
            root.join(TERMINATE_SECONDS)
        pids = {root.pid for root in roots}
        others = [process for process in tree if process.pid not in pids]
        _, deaf = psutil.wait_procs(others, timeout=TERMINATE_SECONDS if others else 0)
        for process in [*deaf, *roots]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for root in roots:
            root.join(TERMINATE_SECONDS)


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


_PYDANTIC = re.compile(
    r"^\d+ validation errors? for \w+ (?:Value error, )?| \[type=\w+, input_value=.*$"
)
_WORKER_DIED = re.compile(r"(Worker proc \S+ died unexpectedly)")
_ERROR_LINE = re.compile(r"(?:^|[\s\]])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)): (\S.*)$")
_NOT_THE_REASON = (
    "See root cause above",
    "See stack trace",
    "stack trace above",
    "EngineDeadError",
    "initialization failed due to",
    "cancelled",
    "Ignored error",
)


def reason_of(error: BaseException, log_path: str | None, since: int) -> str:
    """The first cause in one line: vLLM's own exceptions often only point at its log."""
    text = _PYDANTIC.sub("", " ".join(str(error).split())) or type(error).__name__
    vague = any(mark in text for mark in _NOT_THE_REASON)
    found = _reason_in(log_path, since) if vague and log_path else None
    return found or ("its process has ended" if "stack trace" in text else text)


def _reason_in(log_path: str, since: int) -> str | None:
    try:
        with Path(log_path).open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(since, log.tell() - LOG_TAIL))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        match = _ERROR_LINE.search(line)
        if match and not any(mark in line for mark in _NOT_THE_REASON):
            return f"{match[1].rpartition('.')[2]}: {match[2].strip()}"
        worker = _WORKER_DIED.search(line)
        if worker:
            return worker[1]
    return None


_ADVICE = (
    (r"estimated maximum model length is (\d+)", r"set max_model_len=\1 or give more memory"),
    (r"out of memory|CUDA error: out of memory|Cannot allocate", "use a smaller model or "
     "max_model_len, or lower gpu_memory_utilization"),
    (r"Available memory on node|Free memory on device", "other processes hold the memory: "
     "lower gpu_memory_utilization or kv_cache_memory_bytes"),
    (r"not supported for now|does not recognize this architecture|are not supported",
     "this vLLM does not know the model: use a newer vLLM or another model"),
    (r"No available memory for the cache blocks", "raise gpu_memory_utilization"),
)  # fmt: skip


def with_advice(reason: str) -> str:
    """The reason, and what to do about it where that is known."""
    for pattern, advice in _ADVICE:
        match = re.search(pattern, reason, re.IGNORECASE)
        if match:
            return f"{reason} [{match.expand(advice)}]"
    return reason
