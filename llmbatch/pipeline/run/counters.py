"""Counts and timings of one run."""

from dataclasses import dataclass, field

from llmbatch.core import clock
from llmbatch.core.outcomes import Usage
from llmbatch.core.step_cost import Weights
from llmbatch.pipeline.monitoring.progress import Progress


@dataclass
class Timings:
    """Seconds of the phases of a run, which follow each other."""

    prepare: float = 0.0
    engine_start: float = 0.0
    generate: float = 0.0
    engine_stop: float = 0.0
    checkpoint: float = 0.0
    export: float = 0.0


@dataclass
class RunCounters:
    """Counts of the run so far; each row of a shared request counts, and one of several samples as
    its share of a row. `size`: characters of the
    messages of all requests of the run, and `size_done` of those that are settled; `began`:
    clock.seconds() from which rates count."""

    rows: float
    rows_reused: float
    rows_done: float = 0
    failed: float = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    to_retry: int = 0
    size: int = 0
    size_done: int = 0
    began: float = field(default_factory=clock.seconds)

    def progress(self, at: float) -> Progress:
        return Progress(
            round(self.rows),
            round(self.rows_done),
            round(self.rows_reused),
            round(self.failed),
            self.output_tokens,
            self.prompt_tokens,
            max(0.0, at - self.began),
            self.cached_tokens,
        )

    @property
    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.cached_tokens, self.output_tokens)

    @property
    def rows_to_do(self) -> float:
        """The rows that the run is to settle."""
        return self.rows - self.rows_reused

    @property
    def done(self) -> float:
        """The share of the run's rows that are done."""
        mine = self.rows_to_do
        return (self.rows_done - self.rows_reused) / mine if mine else 1.0

    @property
    def read(self) -> float:
        """The share of the characters of its prompts that are settled."""
        return self.size_done / self.size if self.size else self.done

    def share(self, weights: Weights) -> float:
        """The share of the run's work that is done, where tokens weigh so much: what prompts took
        grows with their characters to the end, and what answers took with the rows."""
        computed = self.prompt_tokens - min(self.cached_tokens, self.prompt_tokens)
        prompts, answers = weights.seconds(computed, 0), weights.seconds(0, self.output_tokens)
        if not prompts + answers or not self.read or not self.done:
            return self.done
        return (prompts + answers) / (prompts / self.read + answers / self.done)
