"""The time that an engine takes for a workload that it has not seen, and its uncertainty.

From the cost of its steps (`core.step_cost`), where that is known; else from its pace over
tokens; else from the roofline of its device (`sizing.roofline`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmbatch.core import interval, step_cost
from llmbatch.core.interval import Interval
from llmbatch.core.step_cost import StepCost, StepMoments
from llmbatch.estimate import batching
from llmbatch.estimate.batching import Scheduler, StepCount

# The least relative uncertainty of generation, for what no formula knows: other work on the
# machine, its temperature, requests that differ from those that were measured.
OF_HISTORY = 0.25
OF_SAMPLE = 0.3
OF_OTHER_SETTINGS = 0.5
# Standard deviations of logarithms: of a pace alone, of one by a like batch, of the best fit.
_OF_PACE = 0.35
_OF_SAME_PACE = 0.12
_LEAST_ERROR = 0.05
# What a straight line errs by for each e-fold of the batch: larger ones work more efficiently.
_OF_LARGER_BATCH = 0.15
_WIDEST = 2.5
_TINY = 1e-9
# The share of its roofline that a GPU reaches: usual is 25 to 75 %. CPUs are rougher.
REACHED_BY_GPU = Interval(0.5, 0.25, 0.75)
REACHED_BY_CPU = Interval(0.15, 0.03, 0.6)
# Seconds of a step that no roofline knows: scheduling, launching, sampling. Assumed.
OVERHEAD_OF_GPU = Interval(0.004, 0.0005, 0.015)
OVERHEAD_OF_CPU = Interval(0.01, 0.002, 0.04)


@dataclass(frozen=True, slots=True)
class Workload:
    """Work to compute: `requests`, prompt tokens that no cache serves (`computed`), output tokens;
    `answers`: lengths of single answers (steps), in any unit that scales."""

    requests: int
    computed: Interval
    output: Interval
    answers: Sequence[float]
    scheduler: Scheduler

    def steps(self, computed: float, output: float) -> StepCount:
        """The engine's steps if the totals are these."""
        if not self.requests:
            return StepCount(0.0, 0.0)
        mean = sum(self.answers) / len(self.answers)
        scale = output / self.requests / mean if mean > 0 else 1.0
        answers = [length * scale for length in self.answers]
        return batching.count_steps(
            [computed / self.requests], answers, self.requests, self.scheduler
        )


@dataclass(frozen=True, slots=True)
class Generation:
    """Seconds of generation. `prefill`, `decode` and `rest` (idle, warming up) are its parts;
    `batch`: requests in a step, on the mean."""

    seconds: Interval
    prefill: Interval
    decode: Interval
    rest: Interval
    steps: float
    batch: float


@dataclass(frozen=True, slots=True)
class PastWork:
    """Work that was done: its `steps` (zero of an engine that counts none), the `tokens` that were
    computed and made, its `seconds` of generation, and the `cost` and `moments` of single steps."""

    steps: StepCount
    tokens: float
    seconds: float
    cost: StepCost | None
    moments: StepMoments


def by_past_runs(load: Workload, done: PastWork, rest: Interval, least: float) -> Generation:
    """The estimate from the time of other work. `rest`: seconds that come once; `least`: the least
    relative uncertainty (`OF_HISTORY`, `OF_SAMPLE`).

    Two estimates are brought together, each by its certainty (as logarithms, weighted by inverse
    variances). The pace: `load` takes at least as long for each step as that work did, for a step
    with more requests is not shorter; and at most as long for each token. The fit: the cost of
    steps of another size. Of few steps, or steps that varied without a reason, the fit says little.
    """
    steps = load.steps(load.computed.expected, load.output.expected)
    middle, spread = _pace(load, steps, done)
    prefill, decode = _apart(steps, load.computed.expected, done.cost)
    fitted = prefill + decode
    if done.cost is not None and fitted > 0:
        work = (steps.steps, steps.sequences, load.computed.expected)
        error = max(
            _LEAST_ERROR,
            _further(_batch(steps), _batch(done.steps)),
            step_cost.standard_error(done.moments, done.cost, work) / fitted,
        )
        weight = error**-2 / (error**-2 + spread**-2)
        middle = math.exp(weight * math.log(fitted) + (1 - weight) * math.log(middle))
        spread = (error**-2 + spread**-2) ** -0.5
    scale = middle / fitted if fitted > 0 else 0.0
    timing = _timing(spread, least)

    def seconds(computed: float, output: float) -> float:
        return scale * sum(_apart(load.steps(computed, output), computed, done.cost))

    total = interval.of_function(seconds, load.computed, load.output)
    whole = interval.of_function(lambda made, factor: made * factor, total, timing)
    share = prefill / fitted if fitted > 0 else 0.0
    first, then = whole * share, whole * (1 - share)
    return Generation(whole + rest, first, then, rest, steps.steps, _batch(steps))


def _apart(steps: StepCount, computed: float, cost: StepCost | None) -> tuple[float, float]:
    """Seconds of prefill and of decoding; without a cost, tokens of both kinds."""
    if cost is None:
        return computed, steps.sequences
    return cost.seconds(0, 0, computed), cost.seconds(steps.steps, steps.sequences, 0)


def _pace(load: Workload, steps: StepCount, done: PastWork) -> tuple[float, float]:
    """Seconds by the pace of other work, and their standard deviation in logarithms: four of them
    lie between the least and the most."""
    by_token = done.seconds * (load.computed.expected + load.output.expected) / done.tokens
    if not done.steps.steps:
        return by_token, _OF_PACE
    by_step = done.seconds * steps.steps / done.steps.steps
    low, high = sorted((max(by_step, _TINY), max(by_token, _TINY)))
    return math.sqrt(low * high), max(_OF_SAME_PACE, math.log(high / low) / 4)


def _further(batch: float, seen: float) -> float:
    """The error of a fit because batches are larger, or smaller, than those that were seen."""
    return _OF_LARGER_BATCH * abs(math.log(batch / seen)) if batch > 0 and seen > 0 else 0.0


def _timing(spread: float, least: float) -> Interval:
    """The bounds of a factor whose logarithm has this standard deviation (`spread`)."""
    factor = math.exp(min(_WIDEST, 2 * spread))
    return Interval(1.0, min(1 - least, 1 / factor), max(1 + least, factor))


def by_roofline(
    load: Workload, least: Callable[[float, float], tuple[float, float]], *, on_cpu: bool
) -> Generation:
    """The estimate from the least time that the device can take: `least(computed, output)` gives
    the seconds of prefill and decoding for such totals of tokens."""
    steps = load.steps(load.computed.expected, load.output.expected)
    reached = REACHED_BY_CPU if on_cpu else REACHED_BY_GPU
    overhead = OVERHEAD_OF_CPU if on_cpu else OVERHEAD_OF_GPU

    def prefill(computed: float, output: float, part: float) -> float:
        return least(computed, output)[0] / part

    def decode(computed: float, output: float, part: float, step: float) -> float:
        made = load.steps(computed, output)
        return least(computed, output)[1] / part + made.steps * step

    given = (load.computed, load.output, reached)
    prefilling = interval.extremes(prefill, *given)
    decoding = interval.extremes(decode, *given, overhead)
    none = Interval.exactly(0.0)
    # Both are slow, or fast, for the same reasons: their bounds add up as they are.
    total = Interval(
        prefilling.expected + decoding.expected,
        prefilling.low + decoding.low,
        prefilling.high + decoding.high,
    )
    return Generation(total, prefilling, decoding, none, steps.steps, _batch(steps))


def _batch(steps: StepCount) -> float:
    return steps.sequences / steps.steps if steps.steps else 0.0
