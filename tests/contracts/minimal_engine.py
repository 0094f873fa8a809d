"""The least engine that keeps the contract: an example to copy for another one.

`--engine tests.contracts.minimal_engine:create` answers with the last message. It knows its name
and nothing else of itself: no context length, no tokens of a prompt before it is answered, no
steps. Two words in a message stand for what may happen to an engine behind a network:

    LOSE    a part dies with all that is in flight when this request is computed first
    WAIT    a server holds it back for a moment before this answer
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Self

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines.base import Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo

WINDOW = 4
HOLD = 0.05
"""Seconds."""


def create(config: EngineConfig) -> "MinimalEngine":
    """The factory that the registry calls."""
    for option in config.options:
        raise UsageError(f"engine option {option!r}: unknown; the minimal engine has none")
    return MinimalEngine(config.model)


class MinimalEngine:
    """The protocol is `llmbatch.engines.base.Engine`."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._in_flight: deque[Request] = deque()
        self._lost: set[str] = set()
        self._counted = Telemetry()
        self._held_back_until: float | None = None
        self._closed = threading.Event()
        self._closed.set()

    def identity(self) -> dict[str, str]:
        return {"model": self._model}

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        if constraint is not None:
            raise UsageError(
                "the minimal engine refuses this job's requests: it keeps no constraint"
            )

    def __enter__(self) -> Self:
        self._closed.clear()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()

    def encode(self, messages: Sequence[Message]) -> None:
        return None

    def describe(self) -> EngineInfo:
        return EngineInfo(name="minimal")

    def telemetry(self) -> Telemetry:
        until = self._held_back_until
        return replace(self._counted, running=len(self._in_flight), held_back_until=until)

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        feed = iter(requests)
        self._pause(0)
        try:
            while self._fill(feed):
                yield self._lose() or self._answer()
        finally:
            self._in_flight.clear()

    def _fill(self, feed: Iterator[Request]) -> bool:
        """Pull until the window is full; False when nothing is left to do."""
        while len(self._in_flight) < WINDOW:
            began, idle = clock.seconds(), not self._in_flight
            request = next(feed, None)
            if idle:
                waited = self._counted.idle_seconds + clock.seconds() - began
                self._counted = replace(self._counted, idle_seconds=waited)
            if request is None:
                break
            self._in_flight.append(request)
        return bool(self._in_flight)

    def _lose(self) -> Lost | None:
        first = self._in_flight[0]
        if "LOSE" not in first.messages[-1].content or first.key in self._lost:
            return None
        keys = tuple(request.key for request in self._in_flight)
        self._lost.update(keys)
        self._in_flight.clear()
        return Lost(keys, "a part of the minimal engine died")

    def _answer(self) -> Outcome:
        request = self._in_flight[0]
        words = request.messages[-1].content.split()
        if "WAIT" in words:
            self._hold_back()
        self._pause(0)
        self._in_flight.popleft()
        if request.constraint is not None:
            return Failed(request.key, "refused_request", "it keeps no constraint")
        kept = words[: request.sampling.max_tokens]
        usage = Usage(sum(len(one.content.split()) for one in request.messages), output=len(kept))
        self._count(usage)
        reason = "stop" if kept == words else "length"
        return Completed(request.key, " ".join(kept), reason, usage)

    def _count(self, usage: Usage) -> None:
        counted = self._counted
        self._counted = replace(
            counted,
            prompt_tokens=counted.prompt_tokens + usage.prompt,
            output_tokens=counted.output_tokens + usage.output,
        )

    def _hold_back(self) -> None:
        self._held_back_until = clock.seconds() + HOLD
        try:
            self._pause(HOLD)
        finally:
            self._held_back_until = None

    def _pause(self, seconds: float) -> None:
        """Wait; raise as soon as the engine is closed, from whichever thread."""
        if self._closed.wait(seconds):
            raise EngineError("engine died: it was closed")
