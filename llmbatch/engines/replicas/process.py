"""Replicas in processes of this machine."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas import child
from llmbatch.engines.replicas.channel import Channel
from llmbatch.engines.replicas.link import Link, ReplicaDiedError
from llmbatch.engines.replicas.placement import NUMBER, Place

_MODULE = "llmbatch.engines.replicas.child"
# Seconds for a killed process to be gone.
_GONE = 5.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ProcessTransport:
    """Fresh processes, not forks: engines keep state in theirs, and devices are chosen by their
    environment. `load` finds the factory of an engine by its name. `find`: the environment of each
    replica, beside ours, by number; it may raise UsageError where there is no room for them."""

    def __init__(
        self,
        load: child.Load,
        engine: str,
        config: EngineConfig,
        find: Callable[[], Sequence[Place]],
    ) -> None:
        self._load = load
        self._engine = engine
        self._config = config
        self._find = find
        self._places: Sequence[Place] | None = None

    def places(self) -> Sequence[Place]:
        """Those of all replicas. Raises UsageError where there is no room for them."""
        if self._places is None:
            self._places = self._find()
        return self._places

    def known_places(self) -> Sequence[Place] | None:
        """Those of all replicas; None where there is no room for them."""
        try:
            return self.places()
        except UsageError:
            return None

    def start(self, number: int) -> "ProcessLink":
        log = replica_log(self._config.log_path, number)
        config = replace(self._config, log_path=None if log is None else str(log))
        ours, theirs = socket.socketpair()
        output = _opened(log)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | self.places()[number] | {NUMBER: str(number)},
                pass_fds=[theirs.fileno()],
                # A group of its own gets no Ctrl-C. Not a session: see `engines/vllm/processes`.
                process_group=0,
            )
        except OSError as error:
            ours.close()
            raise EngineError(f"its process cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(output)
        link = ProcessLink(process, Channel(ours), number, log)
        link.send(child.start_message(self._load, self._engine, config))
        return link

    def wait(self, links: Sequence[Link], seconds: float) -> list[Link]:
        own = [link for link in links if isinstance(link, ProcessLink)]
        until = clock.seconds() + seconds
        with selectors.DefaultSelector() as selector:
            for link in own:
                link.register(selector)
            while not (found := [link for link in own if link.is_done]):
                left = until - clock.seconds()
                for key, _ in selector.select(max(0.0, left)):
                    key.data.move(selector)
                if left <= 0:
                    return [link for link in own if link.is_done]
        return [*found]

    def capacity(self) -> int:
        return len(self.places())

    def close(self) -> None:
        """Nothing is shared."""


class ProcessLink:
    """A replica in a process."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", channel: Channel, number: int, log: Path | None
    ) -> None:
        self._process = process
        self._channel = channel
        self._log = log
        self._log_start = _size(log)
        self._is_gone = False
        self.name = f"replica {number + 1} (process {process.pid})"

    @property
    def is_done(self) -> bool:
        """True if it has replied, or is gone."""
        return self._is_gone or self._channel.has_message

    def register(self, selector: selectors.BaseSelector) -> None:
        """Have a selector look at it, unless it is gone."""
        try:
            selector.register(self._channel, self._interest(), self)
        except (ValueError, KeyError):  # its end is closed: it was killed from another thread
            self._is_gone = True

    def move(self, selector: selectors.BaseSelector) -> None:
        """Send and take what can be sent and taken now."""
        try:
            self._channel.flush()
            self._channel.fill()
            selector.modify(self._channel, self._interest(), self)
        except (OSError, EOFError, ValueError, KeyError):
            self._is_gone = True
            with contextlib.suppress(ValueError, KeyError):
                selector.unregister(self._channel)

    def _interest(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.has_unsent else 0)

    def send(self, call: bytes) -> None:
        try:
            self._channel.send(call)
        except OSError as error:
            raise self._died() from error

    def receive(self) -> bytes:
        if not self._channel.has_message:
            raise self._died()
        return self._channel.take()

    def close(self, seconds: float) -> None:
        try:
            self._channel.send(child.END)
            self._process.wait(seconds)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self) -> None:
        if self._process.poll() is None:
            child.kill_tree(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GONE)
        self._is_gone = True
        self._channel.close()

    def _died(self) -> ReplicaDiedError:
        try:
            code = self._process.wait(_GONE)
        except subprocess.TimeoutExpired:
            return ReplicaDiedError("its process does not answer any more")
        ended = f"was killed by {_signal(-code)}" if code < 0 else f"ended with code {code}"
        said = _last_line(self._log, self._log_start) if code > 0 else ""
        return ReplicaDiedError(f"its process {ended}{said and f': {said}'}")


def replica_log(log: str | None, number: int) -> Path | None:
    """The log of a replica, beside the run's: run.log, run.replica-1.log."""
    if log is None:
        return None
    path = Path(log)
    return path.with_name(f"{path.stem}.replica-{number + 1}{path.suffix}")


def _opened(log: Path | None) -> int:
    """A descriptor of the log, at its end. No log must ever stop a run."""
    with contextlib.suppress(OSError):
        if log is not None:
            return os.open(log, _APPEND, 0o600)
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _size(log: Path | None) -> int:
    try:
        return 0 if log is None else log.stat().st_size
    except OSError:
        return 0


def _last_line(log: Path | None, start: int) -> str:
    """The last line that was written to the log from this place on; "" if there is none."""
    try:
        text = b"" if log is None else log.read_bytes()[start:]
    except OSError:
        return ""
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return " ".join(lines[-1].split())[:500] if lines else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
