"""An engine that outlives the runs it works for: the next one finds it running.

It lives in a thread of its own, as some engines keep state per thread, and each run gets a `Lease`
of it: an engine like any other, whose end leaves it running.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from llmbatch.constraints.backends import DEFAULT
from llmbatch.core.errors import EngineError, HungEngineError
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.base import LOAD, Engine, Telemetry, grammar_of
from llmbatch.engines.checks_device import check_device
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.parts import PartEvent, part_events_of
from llmbatch.pipeline.run.engine_thread import Done, Drained, EngineThread, Ready

# Seconds between two looks for an event, and for an engine to end.
_TICK = 0.5
_END_GRACE = 30.0
_ABORT_GRACE = 5.0


@dataclass(frozen=True)
class EngineUse:
    """An engine as a run would start it: its name in the registry, and its settings."""

    name: str
    config: EngineConfig

    def is_alike(self, other: "EngineUse") -> bool:
        """True if both would be the same engine, but for the constraint of its requests, and the
        file that its noise goes to."""
        return self._compared() == other._compared()

    def _compared(self) -> tuple[str, EngineConfig]:
        config = replace(self.config, constraint=None, log_path=None)
        if config.replicas is None and config.servers is None:
            # The run alone looks at them then.
            config = replace(config, stall_timeout=0.0, restarts=0)
        return self.name, config


class EngineKeeper:
    """Keeps the last engine running, for the next run that can use it. A context manager."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._lease: Lease | None = None
        self.starts = 0
        """Engines that were started, or had begun to."""

    def lease(self, use: EngineUse, make: Callable[[], Engine], job: str = "") -> "Lease":
        """An engine for these settings: the one that runs, if it would answer as a new one. `job`:
        the name of the job that asks.

        Raises HungEngineError if the one that runs has to end before, and does not.
        """
        engine = make()
        if self._kept is None or not self._kept.serves(use, engine):
            self.close()
            self._kept = _Kept(use, engine, job)
            self.starts += 1
        self._lease = Lease(self._kept, engine, use.config.constraint)
        return self._lease

    def kept_from(self) -> str | None:
        """The job that had the engine of the last lease started; None: the lease itself has."""
        lease = self._lease
        return None if lease is None or lease.has_started else lease.started_for

    @property
    def holds_engine(self) -> bool:
        """True if an engine runs, or may."""
        return self._kept is not None

    @property
    def is_at_work(self) -> bool:
        """True if an engine is starting, or has requests in flight."""
        return self._kept is not None and (self._kept.is_busy or self._kept.info is None)

    def keep_for(self, later: Iterable[EngineUse]) -> None:
        """End the engine unless one of these could be served by it. Raises HungEngineError."""
        if self._kept is not None and not any(self._kept.may_serve(use) for use in later):
            self.close()

    def close(self) -> None:
        """End the engine, if one runs. Raises HungEngineError if it does not end."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Kept:
    """One engine in its thread."""

    def __init__(self, use: EngineUse, engine: Engine, job: str) -> None:
        self._use = use
        self.engine = engine
        self._starting = threading.Lock()
        self.job = job
        self.thread = EngineThread(engine)
        self.info: EngineInfo | None = None
        self.is_gone = False
        self.is_busy = False
        """True while a run has it, even if that run has given up on it."""

    def serves(self, use: EngineUse, engine: Engine) -> bool:
        """True if `engine`, which is not started, would answer as this one. A job's constraint may
        be another, as long as the same backend holds it."""
        if self.is_busy or not self.may_serve(use):
            return False
        return self._holds(use, engine) and engine.identity() == self.engine.identity()

    def _holds(self, use: EngineUse, engine: Engine) -> bool:
        """True if it holds answers to a job's constraint as an engine of the job's own would."""
        constraint, own = use.config.constraint, self._use.config.constraint
        if use.config.servers is not None and constraint not in (None, own):
            return False  # servers were tried with the other one when it was started
        wanted = grammar_of(engine, constraint)
        return wanted is None or wanted.backend == self._backend()

    def may_serve(self, use: EngineUse) -> bool:
        """True if it works, and was started with these settings."""
        return not self.is_gone and use.is_alike(self._use)

    def _backend(self) -> str:
        """The holder of its requests' constraints, which was chosen before it was started."""
        had = grammar_of(self.engine, self._use.config.constraint)
        return DEFAULT if had is None else had.backend

    def start(self) -> bool:
        """Start the engine; False if it runs already. Raises EngineError as it does."""
        with self._starting:  # a run that has given up waiting for it may have begun
            if self.info is not None:
                return False
            if self.is_gone:
                raise EngineError("the engine did not start")
            self.thread.start()
            while not isinstance(event := self.thread.next(_TICK), Ready | Done):
                continue
            if isinstance(event, Done):
                self.is_gone = True
                raise event.error or EngineError("the engine did not start")
            self.info = event.info
            return True

    def end(self) -> None:
        """Close the engine, in its thread."""
        self.is_gone = True
        if not self.thread.is_started:
            return
        self.thread.feed(None)
        has_more_to_do = self.is_busy or self.info is None
        if not self.thread.join(_ABORT_GRACE if has_more_to_do else _END_GRACE):
            self.thread.kill()
            if not self.thread.join(_END_GRACE):
                raise HungEngineError("the engine does not end; run the same command again")

    def kill(self) -> None:
        """End the engine at once."""
        self.is_gone = True
        self.thread.kill()


class Lease:
    """The kept engine for one run; its counters begin with it."""

    def __init__(self, kept: _Kept, engine: Engine, constraint: Constraint | None) -> None:
        self._kept = kept
        self._engine = engine
        self._constraint = constraint
        self._before = Telemetry()
        self.has_started = False
        self.started_for = kept.job

    def identity(self) -> dict[str, str]:
        return self._engine.identity()

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        check_device(self._engine)
        self._engine.check(sampling, constraint)

    def encode(self, messages: Sequence[Message]) -> Sequence[int] | None:
        return self._engine.encode(messages)

    def __enter__(self) -> Self:
        self.has_started = self._kept.start()
        self._before = self._kept.thread.telemetry()
        return self

    def __exit__(self, *exc: object) -> None:
        """The engine runs on."""

    def close(self) -> None:
        self._kept.kill()

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        thread = self._kept.thread
        self._kept.is_busy = True
        thread.feed(requests)
        is_done = False
        try:
            while not isinstance(event := thread.next(_TICK), Drained | Done):
                if isinstance(event, Completed | Failed | Lost):
                    yield event
            is_done, self._kept.is_busy = True, False
        finally:
            if not is_done:  # what is in flight is given up, and the engine with it
                self._kept.is_gone = True
                thread.abort()
        if isinstance(event, Done):
            self._kept.is_gone = True
            raise event.error or EngineError("the engine ended")

    def describe(self) -> EngineInfo:
        info = self._kept.info or EngineInfo()
        settings = {name: value for name, value in info.settings.items() if name != "grammar"}
        if (plan := grammar_of(self._engine, self._constraint)) is not None:
            settings["grammar"] = plan.to_json()
        return replace(info, settings=settings)

    def part_events(self) -> list[PartEvent]:
        return part_events_of(self._kept.engine)

    def telemetry(self) -> Telemetry:
        now, before = self._kept.thread.telemetry(), self._before
        counted: dict[str, Any] = {
            each.name: getattr(now, each.name) - getattr(before, each.name)
            for each in fields(Telemetry)
            if each.name not in LOAD
        }
        return replace(now, **counted)
