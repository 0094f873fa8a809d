"""The trial of one engine with a sample of requests: its speed, or the reason for having none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmbatch.core import clock
from llmbatch.core.errors import LlmbatchError
from llmbatch.core.outcomes import Completed, Failed, Lost
from llmbatch.core.records import Request
from llmbatch.core.speculation import Speculation
from llmbatch.engines.base import Engine, Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.pipeline.run.engine_thread import Done, Drained, EngineThread, Event, Ready
from llmbatch.pipeline.run.stop_request import StopRequest

_TICK = 0.1
# Seconds for an engine to end once it was killed.
_KILL_GRACE = 30.0


@dataclass(frozen=True, slots=True)
class PartFigures:
    """The figures of requests that the engine was given together."""

    requests: int = 0
    failed: int = 0
    tokens: int = 0  # of prompts and answers
    seconds: float = 0.0
    message: str = ""  # of the first failure

    def __add__(self, other: "PartFigures") -> "PartFigures":
        return PartFigures(
            self.requests + other.requests,
            self.failed + other.failed,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
            self.message or other.message,
        )

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def requests_per_second(self) -> float:
        return self.requests / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """An engine's figures. `seconds`: all of its time, from its start until it was gone; `answers`:
    the texts by key; `speculation`: tokens that it drafted."""

    start_seconds: float
    warm_up: PartFigures
    parts: tuple[PartFigures, ...]
    preemptions: int
    seconds: float
    info: EngineInfo
    answers: Mapping[str, str] = field(default_factory=dict)
    speculation: Speculation = field(default_factory=Speculation)

    @property
    def total(self) -> PartFigures:
        """The measured parts together, without the warm-up."""
        return sum(self.parts, PartFigures())


@dataclass(frozen=True, slots=True)
class TrialFailure:
    """The reason for having no figures. `engine_left`: the engine could not be ended."""

    reason: str
    engine_left: bool = False


class Trial:
    """Starts an engine, gives it one part after the other, and closes it.

    The first part is the warm-up: it takes the time of all that is compiled, captured or allocated
    on first use. A part begins when the one before has drained. `seconds` reads the time.
    """

    def __init__(
        self,
        engine: Engine,
        parts: Sequence[Sequence[Request]],
        limit: float,
        stop: StopRequest,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._thread = EngineThread(engine)
        self._waiting = list(parts)
        self._limit = limit
        self._seconds = seconds
        self._stop = stop
        self._done: list[PartFigures] = []
        self._part, self._part_began = PartFigures(), 0.0
        self._info: EngineInfo | None = None
        self._start_seconds = 0.0
        self._telemetry = Telemetry()
        self._answers: dict[str, str] = {}

    def run(self) -> TrialFigures | TrialFailure:
        """The figures, or a failure: a trial may also take longer than `limit` seconds."""
        began = self._seconds()
        self._thread.start()
        while not isinstance(event := self._thread.next(_TICK), Done):
            now = self._seconds()
            if event is not None:
                self._take(event, began, now)
            if self._stop.drain:
                return self._end(self._stop.reason or "stopped")
            if now - began > self._limit:
                what = "start" if self._info is None else "finish"
                return self._end(f"did not {what} in its share of the budget, {self._limit:.3g} s")
        self._thread.join(_KILL_GRACE)
        if event.error is not None:
            if not isinstance(event.error, LlmbatchError):
                raise event.error
            return TrialFailure(" ".join(str(event.error).split()))
        return self._figures(self._seconds() - began)

    def _take(self, event: Event, began: float, now: float) -> None:
        if isinstance(event, Completed | Failed):
            tokens = event.usage.prompt + event.usage.output
            failed = isinstance(event, Failed)
            if isinstance(event, Completed):
                self._answers[event.key] = event.text
            message = event.message if isinstance(event, Failed) else ""
            self._part += PartFigures(1, int(failed), tokens, message=message)
            return
        if isinstance(event, Lost):
            lost = len(event.keys)
            self._part += PartFigures(lost, lost, message=event.reason)
            return
        if isinstance(event, Ready):
            self._info = event.info
            self._start_seconds = now - began
        elif isinstance(event, Drained):
            self._done.append(replace(self._part, seconds=now - self._part_began))
            self._telemetry = self._thread.telemetry()
        self._part, self._part_began = PartFigures(), now
        self._thread.feed(self._waiting.pop(0) if self._waiting else None)

    def _figures(self, seconds: float) -> TrialFigures | TrialFailure:
        warm_up, *parts = self._done
        total = sum(parts, PartFigures())
        if total.failed == total.requests:
            return TrialFailure(f"every request failed: {total.message}")
        return TrialFigures(
            self._start_seconds,
            warm_up,
            tuple(parts),
            self._telemetry.preemptions,
            seconds,
            self._info or EngineInfo(),
            self._answers,
            self._telemetry.speculation,
        )

    def _end(self, reason: str) -> TrialFailure:
        self._thread.abort()
        self._thread.kill()
        until = clock.seconds() + _KILL_GRACE
        while not (ended := self._thread.join(_TICK)):
            if self._stop.leave or clock.seconds() >= until:
                break
        return TrialFailure(reason, engine_left=not ended)
