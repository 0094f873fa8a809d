"""How many output tokens a job will make, and how many requests it will try again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmbatch.core import interval
from llmbatch.core.interval import Interval, Sampled
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import experience, forecast
from llmbatch.store.outlook import Past, PastRun

# Rows that are still to come may differ from those that were answered, however many these were.
_OF_HISTORY = 0.1
_OF_SAMPLE = 0.04
# The least and the most characters that a token of a choice stands for, and one token more that
# may or may not end the answer.
_LONG_TOKEN, _SHORT_TOKEN = 8, 1.5


@dataclass(frozen=True, slots=True)
class OutputTokens:
    """Output tokens of the requests to do, failed tries among them.

    `source`: "history" (answers of earlier runs with the same prompt and settings), "sample" (of
    sample runs only), "choices" (the texts of the allowed answers), "max_tokens" (what is allowed:
    an upper bound); `known`: how many answers it is made from. `each`: of one answer on the mean;
    `retries`: further tries for each request. `left_long`: so many answers more are taken to be
    as long as is allowed in the upper bound, because a run that was stopped may have left them.
    """

    total: Interval
    each: float
    source: str
    known: int
    retries: Interval
    left_long: int = 0


def expect(
    spec: JobSpec, past: Past, requests: int, prompt_tokens: float, room: int | None = None
) -> OutputTokens:
    """What `requests` requests with so many prompt tokens in all will make. `room`: tokens that
    the context length leaves for an answer, on the mean."""
    alike = [run for run in past.runs if experience.is_alike(run.spec, spec)]
    if past.lengths:
        return _seen(spec, past, alike, requests, prompt_tokens)
    retries = _retries(alike)
    most = min(spec.sampling.max_tokens, room or spec.sampling.max_tokens)
    single = [min(length, most) for length in lengths(spec, past)]
    each = sum(single) / len(single)
    if spec.answer.choice is not None:
        low, high = _bounds(spec, spec.answer.choice)
        total, source = Interval(each, low, high) * requests, "choices"
    else:
        total = Interval(each, 1, most) * requests
        source = "max_tokens"
    return OutputTokens(total.rounded(), round(each, 1), source, 0, retries)


def lengths(spec: JobSpec, past: Past) -> list[float]:
    """Tokens of single answers, as they may be: those of earlier runs, or what is allowed."""
    seen = [float(output) for _, output in past.lengths]
    return seen or [float(length) for length in forecast.answer_lengths(spec, ())]


def _bounds(spec: JobSpec, choices: Sequence[str]) -> tuple[float, float]:
    """Tokens of one answer at least and at most."""
    most = spec.sampling.max_tokens
    low = min(len(choice) for choice in choices) // _LONG_TOKEN + 1
    high = max(len(choice) for choice in choices) / _SHORT_TOKEN + 2
    return min(most, low), min(most, high)


def _seen(
    spec: JobSpec,
    past: Past,
    alike: Sequence[PastRun],
    requests: int,
    prompt_tokens: float,
) -> OutputTokens:
    pairs = [(float(prompt), float(output)) for prompt, output in past.lengths]
    sampled, most = all(map(experience.is_sample, alike)), spec.sampling.max_tokens
    of_answers = (
        Sampled.of(pairs)
        .total_of_others(requests, prompt_tokens)
        .at_least_around(_OF_SAMPLE if sampled else _OF_HISTORY)
        .within(requests, requests * most)
    )
    long = min(requests, _left_long(past, alike))
    if long:
        more = of_answers.high + long * most
        of_answers = replace(of_answers, high=min(more, requests * most))
    retries = _retries(alike)
    total = of_answers + retries * (requests * _each_retry(alike))
    each = of_answers.expected / requests if requests else 0.0
    source = "sample" if sampled else "history"
    return OutputTokens(total.rounded(), round(each, 1), source, len(pairs), retries, long)


def _left_long(past: Past, alike: Sequence[PastRun]) -> int:
    """How many long answers a run may have left that did not finish this plan: what it has
    answered is no random part of it. Short answers come back first, so that those under way at
    its end, as many as the engine runs at once, may be the long ones."""
    runs = [run for run in alike if run.attempts and not experience.is_sample(run)]
    if not runs or not past.settled_requests or (runs[-1].reason or "").startswith("finished"):
        return 0
    return int(past.engine.get("max_num_seqs") or past.engine.get("window") or 1)


def _retries(runs: Sequence[PastRun]) -> Interval:
    """Tries after the first for each request; none are expected where nothing is known."""
    tries, again = sum(run.attempts for run in runs), sum(run.retries for run in runs)
    if not tries:
        return Interval.exactly(0.0)
    seen = interval.share(again, tries)
    most = min(seen.high, 0.9)
    return Interval(_odds(seen.expected), _odds(seen.low), _odds(most))


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else 1.0


def _each_retry(runs: Sequence[PastRun]) -> float:
    """Output tokens of a failed try that was followed by another."""
    again = sum(run.retries for run in runs)
    return sum(run.retried_tokens for run in runs) / again if again else 0.0
