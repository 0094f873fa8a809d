"""The parts of an amount as all forms of a report show them: to digits that add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from llmbatch.accounting.costs import Costs
from llmbatch.core import money

# An amount has the digits of what was paid, but is no finer than this part of its own size.
_FINEST = 10_000


@dataclass(frozen=True, slots=True)
class Savings:
    """The money paid, and that saved `by` each of `Costs.savings` (None where it has no price),
    which add up to the cost `without` savings."""

    paid: Decimal
    by: dict[str, Decimal | None]
    without: Decimal


def round_phases(costs: Costs) -> list[Decimal | None]:
    """The cost of each of `Costs.phases`: of those that are not parallel in whole quanta that add
    up to what was paid; None without a price."""
    if costs.physical is None:
        return [None] * len(costs.phases)
    total = money.rounded(costs.physical)
    unit = money.quantum(costs.physical)
    ordered = [phase.cost or 0.0 for phase in costs.phases if not phase.parallel]
    parts = iter(money.allocate(total, ordered, unit) if ordered else ())
    return [
        money.rounded(phase.cost or 0.0, unit) if phase.parallel else next(parts)
        for phase in costs.phases
    ]


def round_savings(costs: Costs) -> Savings:
    """The rounded savings of costs that have a price (ValueError without one)."""
    if costs.physical is None or costs.virtual is None:
        raise ValueError("there is no price")
    unit = money.quantum(max(costs.physical, costs.virtual / _FINEST))
    if not costs.physical:
        unit = money.quantum(costs.virtual)
    paid = money.rounded(costs.physical, unit)
    priced = [saving.cost for saving in costs.savings if saving.cost is not None]
    if any(cost < 0 for cost in priced):
        # A cache whose tokens cost more than computed ones saves less than nothing.
        parts = [money.rounded(cost, unit) for cost in priced]
    else:
        among = money.rounded(costs.virtual, unit) - paid
        parts = money.allocate(among, priced, unit) if priced else []
    rest = iter(parts)
    by = {saving.by: None if saving.cost is None else next(rest) for saving in costs.savings}
    return Savings(paid, by, paid + sum(parts, Decimal()))


def round_counts(counts: Sequence[float]) -> list[int]:
    """Counts that may be fractions as whole ones that add up to their sum as it is shown."""
    if not counts:
        return []
    total = Decimal(round(sum(counts)))
    return [int(part) for part in money.allocate(total, counts, Decimal(1))]
