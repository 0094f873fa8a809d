"""The process from which traced runs are forked: `python -m tests.crash.zygote DESCRIPTOR`.

It has imported all that a run needs, so that a run takes a fraction of a second. It opens no
database and has one thread only, or a fork would inherit locks that are never freed.
"""

import gc
import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import llmbatch
from tests.crash import ptrace
from tests.crash.events import Event, Reader
from tests.crash.tracer import Call, Order, Trace, TraceError

OUTSIDE = (
    "duckdb", "pyarrow", "pydantic.dataclasses", "jinja2", "jsonschema", "orjson", "tqdm", "psutil",
    "pynvml", "pandas", "scipy.special", "py3langid.langid", "tests.scripted_engine",
)  # fmt: skip
"""What runs import of others, much of it only where they need it."""
OTHERS = ("llmbatch.engines.vllm", "llmbatch.engines.ray", "llmbatch.__main__")
"""Modules of the package that import engines, or run."""


def wanted() -> Iterator[str]:
    """The modules that a fork finds imported: all of the package, for each command needs others."""
    yield from OUTSIDE
    for module in pkgutil.walk_packages(llmbatch.__path__, "llmbatch."):
        if not module.name.startswith(OTHERS):
            yield module.name


def main() -> None:
    ptrace.die_with_parent()
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    for name in wanted():
        importlib.import_module(name)
    # What is there now stays for ever: forks need not copy it to count references.
    gc.collect()
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "an import has started a thread"
    connection.send(ptrace.obstacle())
    while True:
        try:
            order = connection.recv()
        except EOFError:
            # At once: packages would report at length the things that they cannot clean up.
            os._exit(0)
        connection.send(_carry_out(order))


def _carry_out(order: Order) -> Trace | str:
    began = time.monotonic()
    try:
        with _time_limit(order.timeout):
            trace = _Run(order).trace()
    except (TraceError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    trace.seconds = time.monotonic() - began
    return trace


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def over(number: int, frame: FrameType | None) -> None:
        raise TraceError(f"a run did not end within {seconds:g} s")

    former = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


class _Run:
    """One forked run and what its tracer knows of it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._result = Trace()
        self._counted = 0
        self._touched: set[str] = set()
        self._matched = [0] * len(order.faults)
        # The thread whose change is happening, and those that wait for it at theirs.
        self._active: int | None = None
        self._current: Event | None = None
        self._waiting: deque[int] = deque()
        self._seen: set[int] = set()

    def trace(self) -> Trace:
        outputs = [os.memfd_create("stdout"), os.memfd_create("stderr")]
        self._pid = self._start(outputs)
        reader = Reader(self._pid, self._order.folder) if self._order.traced else None
        try:
            self._until_over(reader)
        finally:
            self._end()
            if reader is not None:
                reader.close()
            texts = [_content(descriptor) for descriptor in outputs]
        self._result.stdout, self._result.stderr = texts
        return self._result

    def _start(self, outputs: list[int]) -> int:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            os.read(reading, 1)
            _be(self._order, outputs)
        os.close(reading)
        self._seen.add(pid)
        if self._order.traced:
            ptrace.seize(pid)
        os.close(writing)
        return pid

    def _end(self) -> None:
        """End all processes of this run, in any case."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for tid in self._seen:
            with suppress(ProcessLookupError):
                os.kill(tid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, ptrace.ANY_CHILD)

    def _until_over(self, reader: Reader | None) -> None:
        while self._seen:
            tid, status = os.waitpid(-1, ptrace.ANY_CHILD)
            if os.WIFSTOPPED(status):
                assert reader is not None
                self._seen.add(tid)
                self._stopped(tid, status, reader)
            else:
                self._gone(tid, status, reader)

    def _gone(self, tid: int, status: int, reader: Reader | None) -> None:
        self._seen.discard(tid)
        if tid == self._pid:
            self._result.code = os.waitstatus_to_exitcode(status)
        if tid == self._active and reader is not None:
            self._release(reader)

    def _stopped(self, tid: int, status: int, reader: Reader) -> None:
        number, event = os.WSTOPSIG(status), status >> 16
        try:
            if event == ptrace.SECCOMP_STOP:
                self._waiting.append(tid)
                if self._active is None:
                    self._release(reader)
            elif number == ptrace.SYSCALL_STOP:
                self._happened(tid, reader)
            else:
                ptrace.go_on(tid, number=0 if event else number)
        except (ProcessLookupError, FileNotFoundError):
            # It was killed meanwhile; its end is reported next.
            return

    def _release(self, reader: Reader) -> None:
        """The next of the threads that wait at a change begins with it."""
        self._active = self._current = None
        while self._waiting and self._active is None:
            self._enter(self._waiting.popleft(), reader)

    def _enter(self, tid: int, reader: Reader) -> None:
        try:
            with self._of_its_process(tid, reader) as its_own:
                event = its_own.event(*ptrace.entered(tid), data=self._order.data)
        except (ProcessLookupError, FileNotFoundError):
            return
        if event is None:
            ptrace.go_on(tid)
            return
        self._active, self._current = tid, event
        self._result.events.append(event)
        if number := self._fault(event):
            ptrace.refuse(tid, number)
        at = self._order.at
        if at is not None and at.counts(event):
            self._counted += 1
            if self._counted == at.number and not at.after:
                self._strike(at.signal)
        ptrace.go_on(tid, until_exit=True)

    @contextmanager
    def _of_its_process(self, tid: int, reader: Reader) -> Iterator[Reader]:
        """The reader of a thread's calls: it may be of a process that the run has started."""
        if (process := ptrace.process_of(tid)) == self._pid:
            yield reader
            return
        other = Reader(process, self._order.folder)
        try:
            yield other
        finally:
            other.close()

    def _fault(self, event: Event) -> int:
        """The errno with which this event must fail; 0 if it need not."""
        self._touched.add(event.path)
        for place, fault in enumerate(self._order.faults):
            if fault.since and fault.since not in self._touched:
                continue
            if fault.kind == event.kind and fnmatch(event.path, fault.path):
                self._matched[place] += 1
                past = self._matched[place] - fault.first
                if past >= 0 and (fault.count < 0 or past < fault.count):
                    return fault.errno
        return 0

    def _happened(self, tid: int, reader: Reader) -> None:
        event, at = self._current, self._order.at
        assert tid == self._active
        assert event is not None
        event.result = ptrace.returned(tid)
        if event.kind == "write" and event.result >= 0:
            event.size, event.data = event.result, event.data[: event.result]
        if at is not None and at.after and self._counted == at.number and at.counts(event):
            self._strike(at.signal)
        ptrace.go_on(tid)
        self._release(reader)

    def _strike(self, number: int) -> None:
        if not self._result.struck:
            self._result.struck = True
            os.kill(self._pid, number)


def _content(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")


def _be(order: Order, outputs: list[int]) -> None:
    """Become the run, in the new process. Never returns."""
    code = 70
    try:
        _take_over(order, outputs)
        code = _work(order)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # The interpreter's own clean-up would take longer than the run.
        os._exit(code)


def _take_over(order: Order, outputs: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(order.env)
    os.chdir(order.cwd)
    for target, descriptor in enumerate(outputs, start=1):
        os.dup2(descriptor, target)
    for call in order.prepare:
        _called(call)
    if order.traced:
        ptrace.stop_at_changes()


def _work(order: Order) -> int:
    if order.call is not None:
        _called(order.call)
        return 0
    from llmbatch.cli.main import cli

    try:
        cli(order.arguments, prog_name="llmbatch")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _called(call: Call) -> None:
    module, _, name = call[0].partition(":")
    getattr(importlib.import_module(module), name)(*call[1])


if __name__ == "__main__":
    main()
