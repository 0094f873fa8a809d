"""The tokens that a job's requests will make, and the share of them that is tried again.

Figures from earlier runs are by request, all its tries together: those that are tried again
because their answers were cut off are the very ones that take most, so tries and lengths are not
independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmbatch.core import interval
from llmbatch.core.interval import Interval, PairSample
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate import cache_forecast, past_runs
from llmbatch.job.alike import is_alike
from llmbatch.job.spec import JobSpec
from llmbatch.store.history import JobHistory, PastRun, RequestTokens

# Rows that are still to come may differ from those that were answered, however many these were.
_OF_HISTORY = 0.1
_OF_SAMPLE = 0.04
# The fewest characters that a token of a choice stands for; one token more may end the answer.
_SHORT_TOKEN = 1.5


@dataclass(frozen=True, slots=True)
class OutputTokens:
    """Output tokens of the requests to do, failed tries among them.

    `source`: "history" (requests of earlier runs with the same prompt and settings), "sample" (of
    sample runs only), "choices" (the texts of the allowed answers), "max_tokens" (what is allowed:
    an upper bound), "none" (the task makes no tokens); `known`: the number of these requests.
    `each`: tokens of an answer on the mean, be it cut off or refused; `retries`: further tries for
    each request. `left_long`: the number of further answers that the upper bound takes to be as
    long as is allowed, because a run that was stopped may have left them.
    """

    total: Interval
    each: float
    source: str
    known: int
    retries: Interval
    left_long: int = 0


def expect(
    spec: JobSpec, past: JobHistory, requests: int, prompt_tokens: float, room: int | None = None
) -> OutputTokens:
    """The output tokens of `requests` requests with so many prompt tokens in all. `room`: tokens
    that the context length leaves for an answer, on the mean."""
    if not spec.longest_answer:
        none = Interval.exactly(0.0)
        return OutputTokens(
            none, 0.0, "none", 0, _retries(past.spent, requests) if past.spent else none
        )
    if past.spent:
        return _seen(spec, past, requests, prompt_tokens)
    most = min(spec.longest_answer, room or spec.longest_answer)
    single = [min(length, most) for length in lengths(spec, past)]
    each = sum(single) / len(single)
    if spec.answer.choice is not None:
        low, high = _bounds(spec, spec.answer.choice)
        total, source = Interval(each, low, high) * requests, "choices"
    else:
        total = Interval(each, 1, most) * requests
        source = "max_tokens"
    return OutputTokens(total.rounded(), round(each, 1), source, 0, Interval.exactly(0.0))


def lengths(spec: JobSpec, past: JobHistory) -> list[float]:
    """Tokens of single tries, as they may be: those of earlier runs, or what is allowed."""
    seen = [one.output / one.tries for one in past.spent for _ in range(one.tries)]
    return seen or [float(length) for length in cache_forecast.answer_lengths(spec, ())]


def _bounds(spec: JobSpec, choices: Sequence[str]) -> tuple[float, float]:
    """Tokens of one answer at least and at most."""
    most = spec.longest_answer
    low = 1  # the first may leave one choice only
    high = max(len(choice) for choice in choices) / _SHORT_TOKEN + 2
    return min(most, low), min(most, high)


def _seen(spec: JobSpec, past: JobHistory, requests: int, prompt_tokens: float) -> OutputTokens:
    alike = [run for run in past.runs if is_alike(run.spec, spec)]
    sampled, most = all(map(past_runs.is_sample, alike)), _most(spec)
    pairs = [(float(one.prompt), float(one.output)) for one in past.spent]
    least = interval.of_few(len(pairs)) / 2
    total = (
        PairSample.from_pairs(pairs)
        .total_of_others(requests, prompt_tokens)
        .at_least_around(max(_OF_SAMPLE if sampled else _OF_HISTORY, least))
        .within(0, requests * most)
    )
    long = min(requests, _left_long(past, alike))
    if long:
        more = total.high + long * spec.longest_answer
        total = replace(total, high=min(more, requests * most))
    retries = _retries(past.spent, requests)
    tries = requests * (1 + retries.expected)
    each = total.expected / tries if requests else 0.0
    source = "sample" if sampled else "history"
    return OutputTokens(total.rounded(), round(each, 1), source, len(pairs), retries, long)


def _most(spec: JobSpec) -> int:
    """Output tokens that all tries of one request can make: each that is cut off may make twice
    as many as the one before (`tasks.retry`)."""
    return spec.longest_answer * ((1 << spec.run.attempts) - 1)


def _left_long(past: JobHistory, alike: Sequence[PastRun]) -> int:
    """The number of long answers that a run may have left which did not finish this plan: it has
    not answered a random part. Short answers come back first, so that those under way at its end,
    as many as the engine runs at once, may be the long ones."""
    runs = [run for run in alike if run.attempts and not past_runs.is_sample(run)]
    if not runs or not past.settled_requests or (runs[-1].reason or "").startswith("finished"):
        return 0
    engine = EngineInfo.from_json(past.engine)
    return engine.max_num_seqs or engine.window or 1


def _retries(seen: Sequence[RequestTokens], requests: int) -> Interval:
    """Tries after the first for each of `requests`."""
    again = PairSample.from_pairs([(0.0, float(one.tries - 1)) for one in seen])
    return _again(again.total_of_others(requests, 0.0), seen, requests) * (1 / max(1, requests))


def prompts_again(past: JobHistory, requests: int, prompt_tokens: float) -> Interval:
    """Prompt tokens that are sent once more for retries, which may have longer prompts than the
    others, or shorter ones; none are expected where nothing is known."""
    if not past.spent:
        return Interval.exactly(0.0)
    pairs = [(float(one.prompt), float(one.prompt * (one.tries - 1))) for one in past.spent]
    again = PairSample.from_pairs(pairs).total_of_others(requests, prompt_tokens)
    return _again(again, past.spent, prompt_tokens)


def _again(expected: Interval, seen: Sequence[RequestTokens], all_of_them: float) -> Interval:
    """The cost of retries, at least zero; where none was seen, some may come."""
    most = interval.share(sum(one.tries > 1 for one in seen), len(seen)).high * all_of_them
    return replace(expected, high=max(expected.high, most)).within(0.0, float("inf"))
