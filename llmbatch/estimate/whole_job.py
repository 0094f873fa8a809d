"""The requirements of all rows of a job, by those that were tried."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.interval import Interval, PairSample
from llmbatch.engines.base import Engine
from llmbatch.estimate import cache_outlook, output_tokens, past_runs, requirements, time_and_cost
from llmbatch.estimate.text import amount, between, span
from llmbatch.estimate.time_and_cost import CostEstimate, TimeEstimate, TokenEstimate
from llmbatch.job.alike import is_alike
from llmbatch.job.spec import JobSpec
from llmbatch.store import history
from llmbatch.store.database import Database
from llmbatch.store.history import JobHistory

# The rows to come may differ from those that were tried by this share, however many these were.
_OTHERS = 0.04


@dataclass(frozen=True, slots=True)
class WholeJob:
    """Tokens, time and cost of `requests` requests, from `known` that were answered."""

    requests: int
    known: int
    tokens: TokenEstimate
    time: TimeEstimate
    cost: CostEstimate


def estimate(
    db: Database, spec: JobSpec, engine: Engine, requests: int, reading: float
) -> WholeJob | None:
    """The requirements of all `requests` of a job by the answers in its store, which is open; None
    where it has none with this prompt and these settings. `engine` is not started; `reading`:
    seconds that reading the input takes."""
    past = history.own_history(db, lambda kept: is_alike(kept, spec))
    if not past.spent or not requests:
        return None
    tokens, retries = _tokens(spec, past, requests)
    given = requirements.assume_engine(spec, engine, past, None)
    assumed = cache_outlook.assume(spec, past, requirements.cache_settings(given), given.last)
    machine = requirements.engine_to_come(assumed, given, None, tokens, requests)
    lengths = output_tokens.lengths(spec, past)
    load = time_and_cost.make_workload(tokens, requests, retries, lengths, machine.scheduler)
    runs = past_runs.from_history(past, spec, machine.draft_tokens)
    time = time_and_cost.estimate_time(load, tokens, machine, runs, reading, requests)
    cost = time_and_cost.estimate_cost(spec.cost, spec.devices, time.seconds, tokens)
    return WholeJob(requests, len(past.spent), tokens, time, cost)


def _tokens(spec: JobSpec, past: JobHistory, requests: int) -> tuple[TokenEstimate, float]:
    """The tokens of all requests, and the share of them that is tried again. Nothing is known of
    what the prefix cache will serve: at most half of the prompts is assumed."""
    lengths = PairSample.from_pairs([(0.0, float(one.prompt)) for one in past.spent])
    prompt = lengths.total_of_others(requests, 0.0).at_least_around(_OTHERS)
    prompt = prompt.within(float(requests), math.inf)  # a prompt has a token at least
    output = output_tokens.expect(spec, past, requests, prompt.expected)
    total = prompt + output_tokens.prompts_again(past, requests, prompt.expected)
    cached = Interval(0, 0, total.expected / 2)
    return TokenEstimate(total.rounded(), cached.rounded(), output.total), output.retries.expected


def lines(whole: WholeJob, rows: int) -> Iterator[str]:
    """The estimate for a person; `rows`: of the input."""
    prompt, output = between(whole.tokens.prompt), between(whole.tokens.output)
    what = "the row" if rows == 1 else f"all {rows:,} rows"
    yield f"{what}, by {units.count(whole.known, 'answer')}:"
    yield f"  tokens  about {prompt} of prompts, {output} of answers"
    if whole.time.seconds is not None:
        yield f"  time    about {span(whole.time.seconds)}, the engine's start included"
    if whole.cost.cost is not None:
        money = amount(whole.cost.cost, whole.cost.currency)
        yield f"  cost    about {money} for {whole.cost.basis}"
    else:
        yield "  cost    give --price-per-hour or --price-per-million to see money"
