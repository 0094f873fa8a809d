"""The progress of a run, and the protocol of its observers."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run. Rows count duplicates; tokens and failures are of this run, `seconds`
    since its first engine was ready.

    `share` (0..1) is the finished part of this run's work, weighted by time: a long prompt is more
    than a short one. Of the engine's present load: `cache_usage` (0..1) is the used
    part of its cache of keys and values, `running` and `waiting` count requests, and for
    `held_back_seconds` from now the engine is held back, such as by a server's rate limit. `cost`
    is that of the run so far, the engine's start included, `projected_cost` that of the whole run
    at the present rate. None: unknown, there is no price, or the engine is not held back.
    """

    rows: int
    rows_done: int
    rows_reused: int
    failed: int
    output_tokens: int
    prompt_tokens: int
    seconds: float
    cached_tokens: int = 0
    cache_usage: float | None = None
    running: int | None = None
    waiting: int | None = None
    cost: float | None = None
    projected_cost: float | None = None
    currency: str = ""
    share: float | None = None
    held_back_seconds: float | None = None

    @property
    def share_of_rows(self) -> float:
        """The share (0..1) of the rows that are done, each counted the same."""
        return self.rows_done / self.rows if self.rows else 1.0

    @property
    def rows_per_second(self) -> float:
        return (self.rows_done - self.rows_reused) / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.output_tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def prompt_tokens_per_second(self) -> float:
        return self.prompt_tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at the present rate, or None while there is no rate."""
        if self.share and self.seconds > 0:
            return self.seconds * (1 / self.share - 1)
        rate = self.rows_per_second
        return (self.rows - self.rows_done) / rate if rate > 0 else None


class Observer(Protocol):
    """Receives a run's phases, events and progress, in the main thread."""

    def phase(self, text: str) -> None: ...

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def close(self) -> None: ...
