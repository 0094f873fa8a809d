"""The steps that an engine takes for a workload: its scheduler, simulated by lengths alone.

The scheduler is like vLLM's: first come, first served; a step makes one token of each running
request and computes prompt tokens with the rest of its budget; a long prompt is spread over steps
(chunked prefill).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

# Requests that are simulated one by one; those after them are taken to go on at the same pace.
MOST = 8_000


@dataclass(frozen=True, slots=True)
class StepCount:
    """Steps of an engine, and `sequences`: the sizes of their batches, summed up."""

    steps: float
    sequences: float


@dataclass(frozen=True, slots=True)
class Scheduler:
    """`slots` requests run at a time; a step computes up to `budget` tokens (None: no limit)."""

    slots: int
    budget: int | None = None


def count_steps(
    prompts: Sequence[float], answers: Sequence[float], requests: int, scheduler: Scheduler
) -> StepCount:
    """The steps for `requests` requests. `prompts`: prompt tokens to compute, `answers`: steps in
    which a request makes tokens; both are taken in turn, over and over."""
    if requests <= 0:
        return StepCount(0.0, 0.0)
    if requests <= MOST:
        return simulate(_pairs(prompts, answers, requests), scheduler)
    whole = simulate(_pairs(prompts, answers, MOST), scheduler)
    half = simulate(_pairs(prompts, answers, MOST // 2), scheduler)
    times = (requests - MOST) / (MOST - MOST // 2)
    return StepCount(
        whole.steps + times * (whole.steps - half.steps),
        whole.sequences + times * (whole.sequences - half.sequences),
    )


def _pairs(
    prompts: Sequence[float], answers: Sequence[float], count: int
) -> Iterator[tuple[int, int]]:
    """Lengths as whole numbers, rounded so that their running sums stay right."""
    over_prompt = over_answer = 0.0
    for number in range(count):
        over_prompt += prompts[number % len(prompts)]
        over_answer += answers[number % len(answers)]
        prompt, answer = round(over_prompt), max(1, round(over_answer))
        over_prompt -= prompt
        over_answer -= answer
        yield prompt, answer


def simulate(requests: Iterator[tuple[int, int]], scheduler: Scheduler) -> StepCount:
    """The steps for requests of (prompt tokens to compute, answer steps), in this order."""
    slots, budget = max(1, scheduler.slots), scheduler.budget
    at = sequences = 0
    ends: list[int] = []  # the steps after which the running requests are done
    waiting = next(requests, None)
    while waiting or ends:
        room = float("inf") if budget is None else max(1, budget - len(ends))
        under_way = 0
        while waiting and len(ends) < slots and room > 0:
            prompt, answer = waiting
            computed = min(prompt, room)
            room -= max(1, computed)
            if computed < prompt:
                waiting, under_way = (prompt - int(computed), answer), 1
                break
            heappush(ends, at + answer)
            waiting = next(requests, None)
        batch = len(ends) + under_way
        # Nothing changes before the next request ends, unless one could start.
        jump = 1 if waiting and len(ends) < slots else ends[0] - at
        at += jump
        sequences += jump * batch
        while ends and ends[0] <= at:
            heappop(ends)
    return StepCount(at, sequences)


def resample(lengths: Sequence[float], count: int) -> list[float]:
    """`count` of the lengths, evenly spread over them; all, if there are no more."""
    if len(lengths) <= count:
        return list(lengths)
    return [lengths[index * len(lengths) // count] for index in range(count)]
