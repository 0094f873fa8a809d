"""Counters of a vLLM engine, taken where they cost nothing."""

from collections.abc import Mapping
from typing import Any, Self

from llmbatch.core import clock
from llmbatch.core.outcomes import Usage
from llmbatch.core.speculation import Speculation
from llmbatch.engines.base import Telemetry
from llmbatch.engines.vllm.core_channel import StepOutput
from llmbatch.engines.vllm.steps import Steps

_NO_DRAFTS = Speculation()


class Stats:
    """Counts steps and tokens, and keeps the last figures of the scheduler.

    It takes the place of vLLM's own statistics on this side of the engine, which follow every
    token of every request and feed a metrics server that is not used here.

    Idle time is the engine core's own: from the end of the step after which it had no request, to
    the arrival of the next one. So it includes the time in which finished requests wait for their
    outcomes to be taken, although to llmbatch they still look in flight.
    """

    def __init__(
        self, max_num_seqs: int, *, tokens_per_step: int = 1, longest_prompt: int = 1
    ) -> None:
        """`tokens_per_step`: what the scheduler computes in a step at most."""
        self._max_num_seqs = max_num_seqs
        self._moments = Steps(tokens_per_step, longest_prompt)
        self._usage = Usage()
        self._steps = self._starved = self._sequences = 0
        self._preemptions = self._recomputed = self._spared = 0
        self._speculation = Speculation()
        self._idle = 0.0
        self._empty_since: float | None = None
        self._last: Any = None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """The counters of an engine with these settings (see `start.description`)."""
        return cls(
            described["max_num_seqs"],
            tokens_per_step=described["max_num_batched_tokens"],
            longest_prompt=described["max_model_len"],
        )

    def begin(self) -> None:
        """Count idle time from here: a run is open, and the engine has nothing to do yet."""
        self._empty_since = clock.seconds()

    def step(self, output: StepOutput, *, rows_left: bool) -> None:
        """Count one step. `rows_left`: more could have been pulled for it."""
        self._steps += 1
        if self._empty_since is not None and output.queued_at is not None:
            self._idle += max(0.0, output.queued_at - self._empty_since)
            self._empty_since = None
        stats = output.stats
        if stats is None:  # the user has turned them off, or vLLM reported none
            return
        self._last = stats
        batch = stats.num_running_reqs + output.ended
        queued = stats.num_waiting_reqs + stats.num_skipped_waiting_reqs
        self._sequences += batch
        if rows_left and not queued and batch < self._max_num_seqs:
            self._starved += 1
        prefixes = stats.prefix_cache_stats
        recomputed = prefixes.preempted_queries - prefixes.preempted_hits
        self._preemptions += prefixes.preempted_requests
        self._recomputed += recomputed
        self._moments.count(output, recomputed)
        self._speculation += _drafted(getattr(stats, "spec_decoding_stats", None))
        if not stats.num_running_reqs and not queued:
            self.empty(output.at)

    def empty(self, at: float) -> None:
        """The engine core has had no request since then (seconds of `clock.seconds`)."""
        self._empty_since = at
        self._moments.pause()

    def count(self, usage: Usage) -> None:
        """Add a finished request."""
        total = self._usage
        self._usage = Usage(
            total.prompt + usage.prompt,
            total.cached + usage.cached,
            total.output + usage.output,
        )

    def spare(self, tokens: int) -> None:
        """Add tokens that need not be drawn."""
        self._spared += tokens

    def rest(self) -> None:
        """The run is over; nothing is in flight any more."""
        if self._empty_since is not None:
            self._idle += clock.seconds() - self._empty_since
        self._last = self._empty_since = None
        self._moments.rest()

    def telemetry(self) -> Telemetry:
        last = self._last
        return Telemetry(
            prompt_tokens=self._usage.prompt,
            cached_tokens=self._usage.cached,
            output_tokens=self._usage.output,
            spared_tokens=self._spared,
            running=last.num_running_reqs if last else 0,
            waiting=last.num_waiting_reqs if last else 0,
            cache_usage=last.kv_cache_usage if last else 0.0,
            preemptions=self._preemptions,
            recomputed_tokens=self._recomputed,
            steps=self._steps,
            starved_steps=self._starved,
            sequences=self._sequences,
            idle_seconds=self._idle,
            moments=self._moments.moments(),
            speculation=self._speculation,
        )


def _drafted(stats: Any) -> Speculation:
    """The drafts of a step, by vLLM's figures of them; nothing where there are none."""
    if stats is None:
        return _NO_DRAFTS
    accepted = tuple(stats.num_accepted_tokens_per_pos)
    drafted = getattr(stats, "num_draft_tokens_per_pos", None)
    if not drafted:  # an older vLLM: only their sum is known, and taken to be spread evenly
        each, rest = divmod(stats.num_draft_tokens, max(1, len(accepted)))
        drafted = [each + (place < rest) for place in range(len(accepted))]
    return Speculation(stats.num_drafts, tuple(drafted), accepted)
