"""The cost divided by the values of columns, exact to the last digit shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from llmbatch.accounting import former, phases
from llmbatch.accounting.usage import RunUsage, money_of, priced
from llmbatch.core import money
from llmbatch.store import usage_shares
from llmbatch.store.database import Database
from llmbatch.store.usage_shares import RunRates, UsageShare

GONE = "rows that left the input or were changed"
FORMER = "requests of an earlier prompt, model or setting"
IDLE = "runs without work"
OTHERS = "all other values"

# The most groups of rows that are listed one by one; there may be as many as rows.
_MOST = 10_000
_MILLISECOND = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Share:
    """The use of the rows with these values. `values` are in the order of `Attribution.by`, None
    where a row has no such column or no value.

    `note` stands instead of values for "rows that left the input or were changed", "requests of an
    earlier prompt, model or setting", "runs without work" (which tried no request) and "all other
    values" (beyond the 10,000 costliest). `rows` are settled, answered
    or failed; `pending_rows` are not, though attempts that failed may have cost something. A
    request that rows of several values share counts for each with its part, so token counts may be
    fractions. `device_seconds` and `cost` of all shares add up to those of the job,
    the seconds to the millisecond, the cost to its quantum (see `core.money`).
    """

    values: list[str | None]
    note: str | None
    rows: int
    pending_rows: int
    computed_prompt_tokens: float
    output_tokens: float
    device_seconds: float
    cost: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """The cost of all runs by the values of the columns `by`, the largest share first.

    What a run cost, idle time and the start of its engine included, is divided among the requests
    that it tried, retries included, by the weights of their computed prompt tokens and output
    tokens (`RunUsage.weights`; by the token: by their prices), that of a request evenly among its
    rows. Where all attempts of a run computed no token, they count the same.

    `total` is in whole quanta and that of the runs that had a price, in the newest one's currency,
    as in `TotalUsage`; None where none had one, and then `share` is that of the device seconds.
    Values are text: a string as it is, a number as JSON writes its value, so that the string "7"
    and the number 7 are one.
    """

    by: list[str]
    total: float | None
    device_seconds: float
    shares: list[Share]


@dataclass(frozen=True, slots=True)
class _Line:
    """The use of some values, or of the rows of a note, before it is rounded."""

    note: str | None
    used: UsageShare


def build(db: Database, runs: Sequence[RunUsage], by: Sequence[str]) -> Attribution | None:
    """The attribution of all runs; None where no columns are named. A column that the input does
    not have is one without values."""
    if not by:
        return None
    paid = priced(runs)
    rates = [rates_of(run, is_paid=run in paid) for run in runs]
    uses = usage_shares.divide(db, by, rates, _MOST, former.runs(db))
    lines = [_Line(None, used) for used in uses.most]
    rest = {OTHERS: uses.others, GONE: uses.gone, FORMER: uses.former, IDLE: _idle(runs, paid)}
    for note, used in rest.items():
        if used is not None:
            lines.append(_Line(note, used))
    return _of_lines(by, runs, lines)


def _of_lines(by: Sequence[str], runs: Sequence[RunUsage], lines: Sequence[_Line]) -> Attribution:
    """Round the lines so that they add up to what the runs took."""
    times = [line.used.seconds for line in lines]
    costs = [line.used.cost for line in lines]
    rounded_seconds = _divided(sum(run.seconds * run.devices for run in runs), times, _MILLISECOND)
    physical = money_of(runs)
    rounded_costs: Sequence[Decimal | None] = (
        [None] * len(lines) if physical is None else _divided(physical, costs)
    )
    paid = costs if physical else times
    among = sum(paid) or 1.0
    shares = [
        _share(len(by), line, seconds, cost, amount / among)
        for line, seconds, cost, amount in zip(
            lines, rounded_seconds, rounded_costs, paid, strict=True
        )
    ]
    return Attribution(
        by=list(by),
        total=None if physical is None else float(money.rounded(physical)),
        device_seconds=float(sum(rounded_seconds)),
        shares=sorted(shares, key=lambda share: -share.share),
    )


def _divided(total: float, weights: Sequence[float], unit: Decimal | None = None) -> list[Decimal]:
    return money.allocate(money.rounded(total, unit), weights, unit)


def _share(
    columns: int, line: _Line, seconds: Decimal, cost: Decimal | None, share: float
) -> Share:
    used = line.used
    return Share(
        values=list(used.values) or [None] * columns,
        note=line.note,
        rows=used.rows,
        pending_rows=used.pending_rows,
        computed_prompt_tokens=used.computed_prompt_tokens,
        output_tokens=used.output_tokens,
        device_seconds=float(seconds),
        cost=None if cost is None else float(cost),
        share=share,
    )


def rates_of(run: RunUsage, *, is_paid: bool) -> RunRates:
    """The time and the money for a token of the run, which add up to all of the run's; no money
    for one that is not among those whose money adds up."""
    weighed = _weighed(run)
    seconds = run.seconds * run.devices
    each = seconds / weighed if weighed else 0.0
    tokens = (run.computed_tokens, run.cached_tokens, run.output_tokens)
    parts = (phases.parts(run) if is_paid else None) or (0.0, 0.0, 0.0)
    costs = [part / number if number else 0.0 for part, number in zip(parts, tokens, strict=True)]
    rates = RunRates(run.run, each * run.weights.prompt, each * run.weights.output, *costs)
    if weighed or not run.requests:
        return rates
    paid = _paid_by_time(run) / run.requests if is_paid else 0.0
    return replace(rates, attempt_seconds=seconds / run.requests, attempt_cost=paid)


def _paid_by_time(run: RunUsage) -> float:
    # With a price by the token, nothing is paid for time without tokens.
    return (run.cost or 0.0) if run.price_per_million is None else 0.0


def _idle(runs: Sequence[RunUsage], paid: Sequence[RunUsage]) -> UsageShare | None:
    """The time and the money of runs that tried no request; None if there is neither."""
    idle = [run for run in runs if not run.requests]
    seconds = sum(run.seconds * run.devices for run in idle)
    cost = sum(_paid_by_time(run) for run in idle if run in paid)
    return UsageShare((), 0, 0, 0.0, 0.0, seconds, cost) if seconds or cost else None


def _weighed(run: RunUsage) -> float:
    return run.weights.seconds(run.computed_tokens, run.output_tokens)
