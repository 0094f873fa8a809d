"""One run of the engine: pulling requests, handing them to the event loop, giving outcomes."""

import queue
from collections.abc import Iterable, Iterator
from typing import Protocol

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Failed, Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.http.bodies import Call, RefusedError
from llmbatch.engines.http.counters import Counters
from llmbatch.engines.http.dispatcher import Dispatcher
from llmbatch.engines.http.jobs import Event, Job
from llmbatch.engines.http.loop_thread import LoopThread

# Seconds after which a feed that has paused is asked again, if nothing comes meanwhile.
_ASK_AGAIN = 0.01
_END = object()


class Makes(Protocol):
    """Makes the first calls of requests."""

    def call(self, request: Request) -> Call:
        """Raises RefusedError for what must not be sent."""
        ...


class Flight:
    """The requests of one run. Used by one thread, but for `put`."""

    def __init__(
        self,
        requests: Iterable[Request | None],
        thread: LoopThread,
        bodies: Makes,
        counters: Counters,
        window: int,
    ) -> None:
        self._feed = iter(requests)
        self._thread = thread
        self._bodies = bodies
        self._counters = counters
        self._window = window
        self._events: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
        self._more = True
        self._paused = False
        self._in_flight = 0

    def put(self, events: list[Event]) -> None:
        """Take events of the dispatcher's, in any thread."""
        self._events.put(events)

    def outcomes(self, dispatcher: Dispatcher) -> Iterator[Outcome | Lost]:
        """The events as they come. Raises EngineError when the engine is gone."""
        while True:
            yield from self._pull(dispatcher)
            if not self._in_flight:
                if not self._more:
                    return
                continue
            yield from self._come()

    def _pull(self, dispatcher: Dispatcher) -> list[Failed]:
        """Take requests from the feed while there is room; those that cannot be sent."""
        jobs: list[Job] = []
        failed: list[Failed] = []
        most = min(self._window, max(dispatcher.wanted, 1))
        while self._more and self._in_flight + len(failed) < most:
            request = next(self._feed, _END)
            if request is _END:
                self._more = False
                break
            if request is None:
                break
            assert isinstance(request, Request)
            try:
                jobs.append(Job(request, self._bodies.call(request)))
            except RefusedError as error:
                failed.append(Failed(request.key, "refused_request", str(error)))
                continue
            self._in_flight += 1
            if self._in_flight == 1 or len(jobs) >= 64:
                self._hand_over(dispatcher, jobs)
                jobs = []
        self._hand_over(dispatcher, jobs)
        return failed

    def _hand_over(self, dispatcher: Dispatcher, jobs: list[Job]) -> None:
        if jobs:
            self._thread.soon(dispatcher.add, jobs)

    def _come(self) -> Iterator[Outcome | Lost]:
        """All that has come by now. Waits for the first of it, unless the feed is to be asked."""
        try:
            events = self._events.get(timeout=_ASK_AGAIN if self._more else None)
        except queue.Empty:
            return
        for event in events:
            if isinstance(event, EngineError):
                raise event
            self._in_flight -= len(event.keys) if isinstance(event, Lost) else 1
            yield event
