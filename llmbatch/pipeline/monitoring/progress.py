"""What a run tells while it works; who shows it is not this room's business."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. Rows count duplicates; tokens and failures are of this run, `seconds`
    since its first engine was ready.

    `share` (0..1) is the part of this run's work that is done, by the time that it takes: a long
    prompt is more than a short one. Of the engine's present load: `cache_usage` (0..1) is the used
    part of its cache of keys and values, `running` and `waiting` count requests. `cost` is that of
    the run so far, with the engine's start, `projected_cost` what it will be in the end if all
    goes on as it went. None: nobody knows, or there is no price.
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
    """Told of a run's phases, events and progress, in the main thread."""

    def phase(self, text: str) -> None: ...

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def close(self) -> None: ...
