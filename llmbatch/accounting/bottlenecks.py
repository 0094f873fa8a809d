"""The causes of the seconds of generation that go beyond the device's roofline."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.accounting.usage import RunUsage
from llmbatch.core.step_cost import StepCost, StepMoments, fit
from llmbatch.core.units import count
from llmbatch.engines.info import EngineInfo
from llmbatch.sizing.roofline import LeastTime

_STARVED = 0.1
"""From this share of the steps on the front end keeps the batch small."""
_FIXED = 0.2
"""From this share of the time on the fixed cost of a step is the engine's main cost."""

_LEAST = 1e-9
"""A smaller share of the time is a rounding error, and no cause."""
_IDLE_ADVICE = "the engine waited for requests: give llmbatch more CPU, or run fewer jobs beside it"


@dataclass(frozen=True, slots=True)
class Cause:
    """Seconds of generation beyond the roofline that have one cause, and advice against it.
    `share`: of all seconds of generation."""

    name: str
    seconds: float
    share: float
    advice: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Sums over runs; see `usage.SummableUsage`. `cost` is that of a step, fitted to the engine's
    steps; None where they are not known."""

    seconds: float
    idle_seconds: float
    requests: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    recomputed_tokens: int
    steps: int
    starved_steps: int
    sequences: int
    cost: StepCost | None

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Prompt, cached and output."""
        return self.prompt_tokens, self.cached_tokens, self.output_tokens

    @property
    def computed_tokens(self) -> int:
        return self.prompt_tokens - self.cached_tokens


@dataclass(frozen=True, slots=True)
class Batches:
    """Requests at once: as many as the device's memory holds (`best`), as the engine's `cache`
    holds of them, as its settings have `allowed`, and in the mean step (`ran`, None if unknown)."""

    best: int
    cache: float
    allowed: float
    ran: float | None


def sum_up(runs: Sequence[RunUsage]) -> WorkDone:
    def summed(name: str) -> Any:
        return sum(getattr(run, name) for run in runs)

    names = (
        "idle_seconds", "requests", "prompt_tokens", "cached_tokens", "output_tokens",
        "recomputed_tokens", "steps", "starved_steps", "sequences",
    )  # fmt: skip
    moments = sum((run.moments for run in runs), StepMoments())
    sums = {name: summed(name) for name in names}
    return WorkDone(seconds=summed("generate_seconds"), cost=fit(moments), **sums)


def find_causes(
    work: WorkDone, batches: Batches, bound: Callable[[float], LeastTime], engine: EngineInfo
) -> list[Cause]:
    """The causes, the largest first; their seconds and those of the roofline add up to all.

    `bound`: the roofline for a batch. The loss by a smaller batch follows from the fixed cost of a
    step, where the engine's steps show it, else from the roofline. The seconds that are left are
    the engine's own.
    """
    gap = work.seconds - bound(batches.best).seconds * work.requests
    if gap <= 0:
        return []
    idle = min(gap, work.idle_seconds)
    estimates = [each for each in _estimate_causes(work, batches, bound) if each[1] > 0]
    explained = sum(seconds for _, seconds, _ in estimates)
    # Idle time is measured; the estimates may overlap, but are no more than there is together.
    factor = min(1.0, (gap - idle) / explained) if explained else 1.0
    causes = [(name, seconds * factor, advice) for name, seconds, advice in estimates]
    causes.append(("idle front end", idle, _IDLE_ADVICE))
    rest = gap - sum(seconds for _, seconds, _ in causes)
    causes.append(("engine", rest, _engine_advice(work, engine)))
    causes.sort(key=lambda each: -each[1])
    return [
        Cause(name, seconds, seconds / work.seconds, advice)
        for name, seconds, advice in causes
        if seconds > _LEAST * work.seconds
    ]


def _estimate_causes(
    work: WorkDone, batches: Batches, bound: Callable[[float], LeastTime]
) -> Iterator[tuple[str, float, str]]:
    """Name, seconds and advice of each cause that is estimated."""
    best = bound(batches.best)
    yield from _batch_causes(work, batches, bound)
    least = best.prefill_seconds * work.requests
    each = least / work.computed_tokens if work.computed_tokens else 0.0
    if work.cost is not None and work.cost.per_prefill_token > 0:
        each = work.cost.per_prefill_token
    yield (
        "preemptions",
        work.recomputed_tokens * each,
        "requests lost their place in a full cache and were computed again: give the cache more "
        "memory, or lower max_num_seqs",
    )
    if work.cost is not None:
        yield (
            "prefill",
            work.cost.per_prefill_token * work.computed_tokens - least,
            _prefill_advice(work),
        )


def _batch_causes(
    work: WorkDone, batches: Batches, bound: Callable[[float], LeastTime]
) -> Iterator[tuple[str, float, str]]:
    """The seconds lost to a batch that was smaller than the device's memory allows."""
    if batches.ran is None:
        return

    def extra(larger: float, smaller: float) -> float:
        if work.cost is not None:
            return work.cost.per_step * work.sequences * max(0.0, 1 / smaller - 1 / larger)
        return (bound(smaller).seconds - bound(larger).seconds) * work.requests

    possible = min(batches.cache, batches.allowed)
    by_setting = extra(batches.best, possible)
    if batches.cache < batches.allowed:
        advice = "raise gpu_memory_utilization or kv_cache_memory_bytes, or quantise the weights"
        yield "cache full", by_setting, f"the cache holds {possible:,.0f} requests: {advice}"
        by_setting = 0.0
    by_work = extra(possible, batches.ran)
    yield "small batch", by_setting + by_work, _batch_advice(work, batches, by_setting > by_work)


def _batch_advice(work: WorkDone, batches: Batches, by_setting: bool) -> str:
    ran = f"{count(round(batches.ran or 0), 'request')} ran at once"
    if by_setting:
        return (
            f"{ran}, {batches.best:,.0f} would fit the device's memory: raise max_num_seqs "
            f"({batches.allowed:,.0f})"
        )
    if work.steps and work.starved_steps / work.steps > _STARVED:
        return f"{ran}: the front end was too slow to feed more; give llmbatch more CPU"
    return f"{ran}: few rows, or few long answers at the end; a larger job fills the batch better"


def _prefill_advice(work: WorkDone) -> str:
    if work.output_tokens * 4 < work.computed_tokens:
        return (
            "answers are short, so that most of the work is reading prompts: put what they share "
            "first (see llmbatch plan)"
        )
    return "reading prompts: put what they share first (see llmbatch plan)"


def _engine_advice(work: WorkDone, engine: EngineInfo) -> str:
    cost = work.cost
    if cost is not None and cost.per_step * work.steps > _FIXED * work.seconds:
        text = f"a step takes {cost.per_step * 1000:.1f} ms however full it is (launch, scheduling)"
        if engine.enforce_eager:
            return f"{text}: leave out enforce_eager"
        return f"{text}: a larger model would use the device better"
    if engine.enforce_eager:
        return "the engine's own work (kernels, launch, scheduling): leave out enforce_eager"
    return "the engine's own work (kernels, launch, scheduling): try llmbatch tune"
