"""An engine that outlives the runs it works for: the next one finds it running.

It lives in a thread of its own, as some engines keep state per thread, and each run gets a `Lease`
of it: an engine like any other, whose end leaves it running.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Self

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.base import LOAD, Engine, Telemetry, grammar_of
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.pipeline.run.engine_thread import Done, Drained, EngineThread, Ready

# Seconds between two looks for an event, and for an engine to end.
_TICK = 0.5
_END_GRACE = 30.0


class EngineKeeper:
    """Keeps the last engine running, for the next run that can use it. A context manager."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._lease: Lease | None = None

    def lease(self, config: EngineConfig, make: Callable[[], Engine]) -> "Lease":
        """An engine for these settings: the one that runs, if it would answer as a new one."""
        engine = make()
        if self._kept is None or not self._kept.serves(config, engine):
            self.close()
            self._kept = _Kept(config, engine)
        self._lease = Lease(self._kept, engine)
        return self._lease

    def was_started(self) -> bool:
        """True if the last lease has started its engine."""
        return self._lease is None or self._lease.has_started

    def close(self) -> None:
        """End the engine, if one runs."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Kept:
    """One engine in its thread."""

    def __init__(self, config: EngineConfig, engine: Engine) -> None:
        self._config = config
        self._engine = engine
        self._grammar = grammar_of(engine, config.constraint)
        self.thread = EngineThread(engine)
        self.info: EngineInfo | None = None
        self.is_gone = False

    def serves(self, config: EngineConfig, engine: Engine) -> bool:
        """True if `engine`, which is not started, would answer as this one. A job's constraint may
        be another, as long as the same backend holds it."""
        alike = replace(config, constraint=None) == replace(self._config, constraint=None)
        if self.is_gone or self.info is None or not alike:
            return False
        wanted, had = grammar_of(engine, config.constraint), self._grammar
        if wanted is not None and had is not None and wanted.backend != had.backend:
            return False
        return engine.identity() == self._engine.identity()

    def start(self) -> None:
        """Start the engine. Raises EngineError as it does."""
        self.thread.start()
        while not isinstance(event := self.thread.next(_TICK), Ready | Done):
            continue
        if isinstance(event, Done):
            self.is_gone = True
            raise event.error or EngineError("the engine did not start")
        self.info = event.info

    def end(self) -> None:
        """Close the engine, in its thread."""
        self.is_gone = True
        if self.thread.is_started:
            self.thread.feed(None)
            if not self.thread.join(_END_GRACE):
                self.thread.kill()

    def kill(self) -> None:
        """End the engine at once."""
        self.is_gone = True
        self.thread.kill()


class Lease:
    """The kept engine for one run; its counters begin with it."""

    def __init__(self, kept: _Kept, engine: Engine) -> None:
        self._kept = kept
        self._engine = engine
        self._before = Telemetry()
        self.has_started = False

    def identity(self) -> dict[str, str]:
        return self._engine.identity()

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self._engine.check(sampling, constraint)

    def encode(self, messages: Sequence[Message]) -> Sequence[int] | None:
        return self._engine.encode(messages)

    def __enter__(self) -> Self:
        self.has_started = self._kept.info is None
        if self.has_started:
            self._kept.start()
        self._before = self._kept.thread.telemetry()
        return self

    def __exit__(self, *exc: object) -> None:
        """The engine runs on."""

    def close(self) -> None:
        self._kept.kill()

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        thread = self._kept.thread
        thread.feed(requests)
        is_done = False
        try:
            while not isinstance(event := thread.next(_TICK), Drained | Done):
                if isinstance(event, Completed | Failed | Lost):
                    yield event
            is_done = True
        finally:
            if not is_done:  # what is in flight is given up, and the engine with it
                self._kept.is_gone = True
                thread.abort()
        if isinstance(event, Done):
            self._kept.is_gone = True
            raise event.error or EngineError("the engine ended")

    def describe(self) -> EngineInfo:
        return self._kept.info or EngineInfo()

    def telemetry(self) -> Telemetry:
        now, before = self._kept.thread.telemetry(), self._before
        counted: dict[str, Any] = {
            each.name: getattr(now, each.name) - getattr(before, each.name)
            for each in fields(Telemetry)
            if each.name not in LOAD
        }
        return replace(now, **counted)
