"""A replica from inside: an engine in a thread of its own, driven by numbered calls."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from llmbatch.core import clock
from llmbatch.core.errors import MismatchedEngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.base import Engine, TakesPauses, Telemetry
from llmbatch.engines.replicas import wire
from llmbatch.engines.replicas.wire import Call, Reply, RequestReader, State

LARGEST_REPLY = 64 * 1024
"""Characters of the answers in a reply, but for the last one: larger messages would leave the
driver's memory in Ray, and be lost with their node."""
ENOUGH = 64
"""Outcomes for which a reply waits at most."""
_LOOK = 0.05


class _AbortedError(Exception):
    """Ends the engine's run from within its feed."""


class ReplicaHost:
    """Starts the engine that `make` makes, runs it, and answers calls. It closes itself only by
    `close`; after a failure it goes on to answer calls, with the reason."""

    def __init__(self, make: Callable[[], Engine], linger: float = 0.0) -> None:
        """`linger`: seconds for which a reply waits for more outcomes after the first, as long as
        the engine has half of its requests left to do. For a way on which each call is dear."""
        self._make = make
        self._linger = linger
        self._reader = RequestReader()
        self._inbox: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._outbox: deque[tuple[Any, ...]] = deque()
        self._in_flight = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._abort = threading.Event()
        self._state: State = "starting"
        self._error: str | None = None
        self._is_final = False
        self._info: dict[str, Any] | None = None
        self._engine: Engine | None = None
        self._kept = b""
        self._number = 0
        self._thread = threading.Thread(target=self._work, name="replica", daemon=True)

    def start(self) -> None:
        """Begin to start the engine; returns at once."""
        self._thread.start()

    def call(self, data: bytes) -> bytes:
        """Take requests and reply with all outcomes that have come, after `Call.wait` at the
        latest. The same call again gets the same reply."""
        call = Call.from_bytes(data)
        if call.number == self._number:
            return self._kept
        self._number = call.number
        if call.abort:
            self._give_up()
        self._reader.learn(call.parts)
        for written in call.requests:
            self._inbox.put(self._reader.read(written))
        was = self._state
        with self._changed:
            self._changed.wait_for(lambda: self._outbox or self._state != was, timeout=call.wait)
            linger = max(self._linger, call.gather)
            if self._outbox and linger:
                self._changed.wait_for(self._has_enough, timeout=linger)
            self._kept = self._reply(call.number).to_bytes()
        return self._kept

    def _has_enough(self) -> bool:
        left = self._in_flight + self._inbox.qsize()
        return self._state != "ready" or len(self._outbox) >= min(ENOUGH, left)

    def _reply(self, number: int) -> Reply:
        outcomes: list[tuple[Any, ...]] = []
        size = 0
        while self._outbox and size < LARGEST_REPLY:
            outcomes.append(self._outbox.popleft())
            size += sum(len(part) for part in outcomes[-1] if isinstance(part, str))
        info, self._info = self._info, None
        telemetry = self._telemetry()
        left = len(self._outbox)
        final = self._is_final
        return Reply(number, self._state, outcomes, telemetry, info, self._error, left, final)

    def _telemetry(self) -> Telemetry:
        is_open = self._state == "ready" and self._engine is not None
        if not is_open or self._engine is None:
            return Telemetry()
        seen = self._engine.telemetry()
        held = seen.held_back_seconds(clock.seconds())
        return replace(seen, held_back_until=held)

    def close(self, seconds: float) -> bool:
        """End the engine; false if it has not ended within so many seconds."""
        self._closing.set()
        if self._engine is not None:
            self._engine.close()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _give_up(self) -> None:
        """Let the run that is going on end, and forget what has come of it."""
        self._abort.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._abort.is_set() or self._state == "failed")
            self._outbox.clear()

    def _work(self) -> None:
        error = "the engine has ended"
        try:
            engine = self._engine = self._make()  # known before its start, which `close` ends
            with engine:
                self._become("ready", info=engine.describe().to_json())
                while not self._closing.is_set():
                    self._run(engine)
        except BaseException as caught:  # the driver gets it as the reason of a failure
            error = " ".join(str(caught).split()) or repr(caught)
            self._is_final = isinstance(caught, MismatchedEngineError)
        self._become("failed", error=error)

    def _become(
        self, state: State, *, info: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        with self._changed:
            self._state, self._info, self._error = state, info, error
            self._changed.notify_all()

    def _run(self, engine: Engine) -> None:
        """One run of the engine: until the end, or until what is in flight is given up."""
        if isinstance(engine, TakesPauses):
            outcomes = engine.run_with_pauses(self._feed())
        else:
            outcomes = engine.run(self._feed_without_pauses())
        try:
            for outcome in outcomes:
                if self._abort.is_set():
                    break
                self._put(outcome)
        except _AbortedError:
            pass
        finally:
            if hasattr(outcomes, "close"):
                outcomes.close()
        if self._abort.is_set():
            self._forget()

    def _put(self, outcome: Outcome | Lost) -> None:
        self._in_flight -= len(outcome.keys) if isinstance(outcome, Lost) else 1
        with self._changed:
            self._outbox.append(wire.write_outcome(outcome))
            self._changed.notify_all()

    def _forget(self) -> None:
        self._in_flight = 0
        while not self._inbox.empty():
            self._inbox.get_nowait()
        with self._changed:
            self._abort.clear()
            self._changed.notify_all()

    def _feed(self) -> Iterator[Request | None]:
        """Requests as they come; None when there is none now and others are in flight."""
        while not self._closing.is_set():
            if self._abort.is_set():
                raise _AbortedError
            try:
                request = self._inbox.get(timeout=_LOOK if self._in_flight == 0 else 0)
            except queue.Empty:
                if self._in_flight:
                    yield None
                continue
            self._in_flight += 1
            yield request

    def _feed_without_pauses(self) -> Iterator[Request]:
        """For an engine that would wait for the next request: it ends where none is ready."""
        for request in self._feed():
            if request is None:
                return
            yield request
