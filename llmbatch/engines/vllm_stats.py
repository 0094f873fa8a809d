"""Counters of a vLLM engine, taken where they cost nothing."""

from typing import Any

from llmbatch.core.outcomes import Usage
from llmbatch.engines.base import Telemetry


class Stats:
    """Counts what passes, and keeps the scheduler's last word.

    It takes the place of vLLM's own statistics on this side of the engine, which follow every
    token of every request and feed a metrics server that nobody asks.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.idle_seconds = 0.0
        self._usage = Usage()
        self._preemptions = 0
        self._last: Any = None

    def attach(self, engine: Any) -> None:
        """Receive the scheduler's statistics, which come with each step's outputs."""
        engine.log_stats = False
        engine.output_processor.log_stats = False
        if engine.logger_manager is not None:
            engine.logger_manager = self

    def record(self, *, scheduler_stats: Any, **_: Any) -> None:
        """Called by vLLM once a step."""
        self._last = scheduler_stats
        self._preemptions += scheduler_stats.prefix_cache_stats.preempted_requests

    def log(self) -> None:
        """Called by vLLM now and then: nothing to write."""

    def count(self, usage: Usage) -> None:
        """Add a finished request."""
        total = self._usage
        self._usage = Usage(
            total.prompt + usage.prompt,
            total.cached + usage.cached,
            total.output + usage.output,
        )

    def rest(self) -> None:
        """Nothing is in flight any more."""
        self._last = None

    def telemetry(self) -> Telemetry:
        last = self._last
        return Telemetry(
            prompt_tokens=self._usage.prompt,
            cached_tokens=self._usage.cached,
            output_tokens=self._usage.output,
            running=last.num_running_reqs if last else 0,
            waiting=last.num_waiting_reqs if last else 0,
            cache_usage=last.kv_cache_usage if last else 0.0,
            preemptions=self._preemptions,
            steps=self.steps,
            idle_seconds=self.idle_seconds,
        )
