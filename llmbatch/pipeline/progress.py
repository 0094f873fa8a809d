"""What a run tells while it works; who shows it is not this room's business."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. Rows count duplicates; tokens and failures are of this run."""

    rows: int
    rows_done: int
    rows_reused: int
    failed: int
    output_tokens: int
    prompt_tokens: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return (self.rows_done - self.rows_reused) / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.output_tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at the present rate, or None while there is no rate."""
        rate = self.rows_per_second
        return (self.rows - self.rows_done) / rate if rate > 0 else None


class Observer(Protocol):
    """Told of a run's phases, events and progress, in the main thread."""

    def phase(self, text: str) -> None: ...

    def event(self, name: str, **fields: Any) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def close(self) -> None: ...
