"""The cost of runs, part by part, and their cost without prefix cache, duplicates and reuse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from llmbatch.accounting import phases as accounting_phases
from llmbatch.accounting.usage import Rates, RunUsage, money_of, priced
from llmbatch.core import step_cost
from llmbatch.core.step_cost import StepMoments
from llmbatch.job.cost import TokenPrice
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.results import SavedTokens


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the time of a run, and its cost. `name`: one of "reading and planning",
    "engine start", "prefill", "decode", "idle", "engine stop", "export", "other"; those add up to
    all seconds. A `parallel` one ("checkpoint") happened beside others and is not in the sum."""

    name: str
    seconds: float
    cost: float | None
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Saving:
    """Tokens that were not computed, and `cost`, the money that computing them would have taken.

    `by`: "prefix cache", "duplicates" or "reuse" (answers of earlier runs; known for the last run
    only). The cost assumes that none of the tokens is cached and that no other engine is started;
    a token takes the run's own seconds of generation, or its price. A reused answer takes the
    seconds of a token from the run that gave it, and the price from the last run. A token is
    counted once: "reuse" has the requests that were answered before, and "duplicates" the rows that
    share the request of another, whichever run answered it."""

    by: str
    prompt_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Prices:
    """The cost of a million tokens. `input`: all prompt tokens; `computed_input`: those that the
    cache did not serve; `cached`: those that it did, which take no time of the device by the
    weights (but may have a price by the token). None where there are none."""

    input: float | None
    computed_input: float | None
    cached: float | None
    output: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class Listed:
    """The cost of the same tokens at a listed price; `ratio`: that divided by the runs' cost."""

    name: str | None
    input: float
    output: float
    cached: float | None
    cost: float
    ratio: float | None

    @property
    def is_shown(self) -> bool:
        """True if there is something to compare with: no tokens cost nothing at any price, but
        a price of zero is one."""
        return self.cost > 0 or not (self.input or self.output or self.cached)


@dataclass(frozen=True, slots=True)
class Costs:
    """The money of those runs that had a price, in the newest one's currency (see
    `TotalUsage.unpriced_runs`); None throughout where none had one.

    `basis`: "device time", "tokens", or "mixed" where runs differ. `physical`: the money paid.
    `virtual`: the cost without prefix cache, duplicates and reuse, which is physical and all
    savings. `wasted`: the part of physical that failed attempts took, by the seconds of generation
    of their tokens. `per_row`: of the rows that these runs settled.
    `prompt_weight`, `output_weight`: device seconds of a computed prompt token and of an output
    token (see `core.step_cost.Weights`). `weights_measured`: true if they follow from the engine's
    steps; else both count the same.
    """

    basis: str
    physical: float | None
    virtual: float | None
    wasted: float | None
    per_row: float | None
    per_1000_rows: float | None
    per_million: Prices
    prompt_weight: float
    output_weight: float
    weights_measured: bool
    phases: list[Phase]
    savings: list[Saving]
    listed: Listed | None


@dataclass(frozen=True, slots=True)
class AvoidedTokens:
    """Tokens that a run did not have to compute."""

    by: str
    run: RunUsage
    prompt_tokens: int
    output_tokens: int
    rates: Rates | None


def build(db: Database, runs: Sequence[RunUsage], listed: TokenPrice | None) -> tuple[Costs, Costs]:
    """The costs of the last run and those of all. Needs at least one run."""
    shared = results.duplicate_tokens(db)
    every = [_duplicates(run, run, shared.get(run.run)) for run in runs]
    of_last = [_duplicates(runs[-1], run, shared.get(run.run)) for run in runs]
    last_saved = [*of_last, *_reused(db, runs)]
    return sum_up(runs[-1:], last_saved, listed), sum_up(runs, every, listed)


def _reused(db: Database, runs: Sequence[RunUsage]) -> list[AvoidedTokens]:
    """The tokens of answers that the last run reused, one part for each run that gave some."""
    last = runs[-1]
    reused = results.reused_tokens(db, last.run)
    avoided = [
        AvoidedTokens(
            "reuse",
            last,
            reused[run.run].prompt_tokens,
            reused[run.run].output_tokens,
            accounting_phases.rates_like(last, run),
        )
        for run in runs
        if run.run in reused
    ]
    return avoided or [AvoidedTokens("reuse", last, 0, 0, None)]


def _duplicates(run: RunUsage, answered: RunUsage, saved: SavedTokens | None) -> AvoidedTokens:
    """The tokens that `run` did not compute since rows share the answers of the run `answered`."""
    prompt, output = (saved.prompt_tokens, saved.output_tokens) if saved else (0, 0)
    rates = accounting_phases.rates_like(run, answered)
    return AvoidedTokens("duplicates", run, prompt, output, rates)


def sum_up(
    runs: Sequence[RunUsage], saved: Sequence[AvoidedTokens], listed: TokenPrice | None
) -> Costs:
    """The costs of these runs; `saved`: tokens that they did not have to compute."""
    physical, paid = money_of(runs), priced(runs)
    rows = sum(run.rows for run in paid)
    savings = _savings(runs, saved, paid)
    per_row = physical / rows if physical is not None and rows else None
    moments = reduce(add, (run.moments for run in runs), StepMoments())
    accepted = sum(run.speculation.accepted_tokens for run in runs)
    weights = runs[0].weights if len(runs) == 1 else step_cost.weights(moments, accepted)
    return Costs(
        basis=_basis(runs),
        physical=physical,
        virtual=None if physical is None else physical + sum(each.cost or 0 for each in savings),
        wasted=None if physical is None else sum(map(_wasted, paid)),
        per_row=per_row,
        per_1000_rows=None if per_row is None else 1_000 * per_row,
        per_million=_per_million(paid, physical),
        prompt_weight=weights.prompt,
        output_weight=weights.output,
        weights_measured=weights.measured,
        phases=_phases(runs, paid),
        savings=savings,
        listed=_listed(paid or runs, listed, physical),
    )


def _basis(runs: Sequence[RunUsage]) -> str:
    by_token = {run.price_per_million is not None for run in runs}
    if len(by_token) > 1:
        return "mixed"
    return "tokens" if by_token == {True} else "device time"


def _wasted(run: RunUsage) -> float:
    rates = accounting_phases.rates(run)
    computed = run.wasted_prompt_tokens - run.wasted_cached_tokens
    return (
        rates.cost_of(computed, run.wasted_cached_tokens, run.wasted_output_tokens)
        if rates
        else 0.0
    )


def _savings(
    runs: Sequence[RunUsage], saved: Sequence[AvoidedTokens], paid: Sequence[RunUsage]
) -> list[Saving]:
    cached = [
        AvoidedTokens("prefix cache", run, run.cached_tokens, 0, _uncached(run)) for run in runs
    ]
    savings = []
    for by in dict.fromkeys(each.by for each in [*cached, *saved]):
        alike = [each for each in [*cached, *saved] if each.by == by]
        cost = sum(
            each.rates.cost_of(each.prompt_tokens, 0, each.output_tokens)
            for each in alike
            if each.rates is not None and each.run in paid
        )
        prompt = sum(each.prompt_tokens for each in alike)
        output = sum(each.output_tokens for each in alike)
        savings.append(Saving(by, prompt, output, cost if paid else None))
    return savings


def _uncached(run: RunUsage) -> Rates | None:
    """The additional cost of cached tokens if they had been computed."""
    rates = accounting_phases.rates(run)
    return replace(rates, input=rates.input - rates.cached) if rates else None


def _per_million(runs: Sequence[RunUsage], physical: float | None) -> Prices:
    parts = [part for run in runs if (part := accounting_phases.parts(run)) is not None]
    known = sum(map(sum, parts))
    if physical is None or known <= 0:
        return Prices(None, None, None, None, None)
    # The cost of runs that computed nothing goes with that of the others.
    scale = physical / known * 1_000_000
    computed, cached, output = (scale * sum(each) for each in zip(*parts, strict=True))

    def each(money: float, tokens: Callable[[RunUsage], int]) -> float | None:
        number = sum(map(tokens, runs))
        return money / number if number else None

    return Prices(
        input=each(computed + cached, lambda run: run.prompt_tokens),
        computed_input=each(computed, lambda run: run.computed_tokens),
        cached=each(cached, lambda run: run.cached_tokens),
        output=each(output, lambda run: run.output_tokens),
        total=each(scale * known, lambda run: run.prompt_tokens + run.output_tokens),
    )


def _phases(runs: Sequence[RunUsage], paid: Sequence[RunUsage]) -> list[Phase]:
    seconds = [accounting_phases.seconds_by_phase(run) for run in runs]
    costs = [accounting_phases.cost_by_phase(run) for run in paid]
    phases = [
        Phase(name, sum(each[name] for each in seconds), sum(each[name] for each in costs))
        for name in accounting_phases.PHASES
    ]
    beside = sum(run.checkpoint_seconds for run in runs)
    phases.append(Phase("checkpoint", beside, sum(map(_checkpoint_cost, paid)), parallel=True))
    return phases if paid else [replace(phase, cost=None) for phase in phases]


def _checkpoint_cost(run: RunUsage) -> float:
    return run.checkpoint_seconds * accounting_phases.cost_of_second(run)


def _listed(
    runs: Sequence[RunUsage], price: TokenPrice | None, physical: float | None
) -> Listed | None:
    if price is None:
        return None
    prompt = sum(run.prompt_tokens for run in runs)
    cached = sum(run.cached_tokens for run in runs)
    cost = price.cost_of(prompt, cached, sum(run.output_tokens for run in runs))
    ratio = cost / physical if physical else None
    return Listed(price.name, price.input, price.output, price.cached, cost, ratio)
