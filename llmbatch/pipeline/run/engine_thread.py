"""The engine in a thread of its own.

The engine is started, run and closed in one thread, because some engines bind threads or
keep state per thread. Checks, commits and progress happen in the caller's thread and so never
hold it up; the caller can also wait with a time limit, notice signals, and commit what has
settled while the engine is busy with a long answer.
"""

import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from llmbatch.core import clock
from llmbatch.core.clock import Moment
from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.base import Engine, Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.parts import PartEvent, part_events_of
from llmbatch.pipeline.run.short_queue import ShortQueue


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine has started."""

    began: Moment
    at: Moment
    info: EngineInfo


@dataclass(frozen=True, slots=True)
class Drained:
    """The engine has answered all of its feed and waits for the next one."""


@dataclass(frozen=True, slots=True)
class Done:
    """The engine has drained and is closed; or it is gone, for the reason in `error`."""

    error: Exception | None


Event = Ready | Outcome | Lost | Drained | Done

_AHEAD = 256
_PATIENCE = 0.2


class EngineThread:
    """Runs `engine` over one feed after the other and hands out events: Ready, then outcomes and
    a Drained for each feed, and at last Done."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._feeds: queue.SimpleQueue[Iterable[Request] | None] = queue.SimpleQueue()
        # Outcomes that wait here are computed and not safe yet, so the queue is short.
        self._events: ShortQueue[Event] = ShortQueue(_AHEAD)
        self._abort = threading.Event()
        self._open = threading.Event()
        self._last = Telemetry()
        # clock.seconds() when the engine was ready, and when its last answer had come; closing it
        # takes seconds more.
        self.ready_at: float | None = None
        self.drained_at: float | None = None
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_started(self) -> bool:
        """True once `start` was called."""
        return self._thread.ident is not None

    def feed(self, feed: Iterable[Request] | None) -> None:
        """Give the engine its next feed; None closes it."""
        self._feeds.put(feed)

    def next(self, timeout: float) -> Event | None:
        """The next event, or None if there is none within `timeout` seconds."""
        return self._events.get(timeout)

    def telemetry(self) -> Telemetry:
        """The engine's counters: zeros before it is open, the last ones after it has closed."""
        return self._engine.telemetry() if self._open.is_set() else self._last

    def part_events(self) -> list[PartEvent]:
        """The events of the engine's parts since the last time."""
        return part_events_of(self._engine)

    def abort(self) -> None:
        """Give up all that is in flight, at the engine's next outcome."""
        self._abort.set()
        self._feeds.put(None)

    def kill(self) -> None:
        """End an engine that makes no progress. Its `run` then ends with an error."""
        self._engine.close()

    def join(self, timeout: float) -> bool:
        """Wait for the engine to be closed; False if it is not within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        error: Exception | None = None
        try:
            self._run()
        except Exception as caught:  # the caller gets it as an event
            error = caught
        except BaseException as caught:  # such as SystemExit, which a thread would swallow
            error = EngineError(f"the engine gave up: {caught!r}")
        self._put(Done(error))

    def _run(self) -> None:
        began = clock.moment()
        with self._engine as engine:
            ready = clock.moment()
            self.ready_at = ready.seconds
            self._open.set()
            self._put(Ready(began, ready, engine.describe()))
            try:
                while (feed := self._feeds.get()) is not None and not self._abort.is_set():
                    self._answer(engine, feed)
                    self._put(Drained())
            finally:
                self.drained_at = clock.seconds()
                self._last = engine.telemetry()
                self._open.clear()

    def _put(self, event: Event) -> None:
        """Hand out an event once there is room; after an abort it may never be taken."""
        while not self._events.put(event, _PATIENCE):
            if self._abort.is_set():
                return

    def _answer(self, engine: Engine, feed: Iterable[Request]) -> None:
        outcomes = engine.run(feed)
        for outcome in outcomes:
            self._put(outcome)
            if self._abort.is_set():
                break
        if hasattr(outcomes, "close"):
            outcomes.close()
