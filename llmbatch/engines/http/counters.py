"""The counters of the engine, kept in the event loop and read from any thread."""

from llmbatch.core.outcomes import Usage
from llmbatch.engines.base import Telemetry


class Counters:
    """See `llmbatch.engines.base.Telemetry`."""

    def __init__(self) -> None:
        self._prompt = self._cached = self._output = 0
        self._idle = 0.0
        self._empty_since: float | None = None
        self.running = 0
        self.waiting = 0
        self.held_back_until: float | None = None

    def begin(self, now: float) -> None:
        """A run is open, and the engine has nothing to do yet."""
        self._empty_since = now

    def arrived(self, now: float) -> None:
        """There is something to do."""
        if self._empty_since is not None:
            self._idle += now - self._empty_since
            self._empty_since = None

    def emptied(self, now: float) -> None:
        """There is nothing to do any more."""
        self._empty_since = now

    def rest(self) -> None:
        """No run is open."""
        self._empty_since = None
        self.running = self.waiting = 0
        self.held_back_until = None

    def count(self, usage: Usage, now: float) -> None:
        self._prompt += usage.prompt
        self._cached += usage.cached
        self._output += usage.output

    def telemetry(self) -> Telemetry:
        return Telemetry(
            prompt_tokens=self._prompt,
            cached_tokens=self._cached,
            output_tokens=self._output,
            running=self.running,
            waiting=self.waiting,
            idle_seconds=self._idle,
            held_back_until=self.held_back_until,
        )
