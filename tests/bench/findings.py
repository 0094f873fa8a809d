"""The findings of the suite: a line of its table for each case."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the table; all texts but `met` (None: there is nothing to meet)."""

    case: str
    what: str
    ours: str
    theirs: str
    ratio: str
    goal: str
    met: bool | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    """A bound for a figure: at least or at most so much."""

    bound: float
    least: bool
    unit: str = ""

    def holds(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:,g}{self.unit}"


def at_least(bound: float, unit: str = "") -> Goal:
    return Goal(bound, True, unit)


def at_most(bound: float, unit: str = "") -> Goal:
    return Goal(bound, False, unit)


def compared(
    case: str,
    what: str,
    unit: str,
    pairs: Sequence[tuple[float, float]],
    goal: Goal,
    notes: Sequence[str] = (),
) -> Finding:
    """Rounds of (ours, theirs), of which the median of the rounds' ratios is what counts."""
    ours, theirs = zip(*pairs, strict=True)
    ratios = [one / other for one, other in pairs]
    return Finding(
        case,
        what,
        f"{figure(statistics.median(ours))} {unit}",
        f"{figure(statistics.median(theirs))} {unit}",
        spread(ratios),
        str(goal),
        goal.holds(statistics.median(ratios)),
        tuple(notes),
    )


def measured(
    case: str,
    what: str,
    unit: str,
    values: Sequence[float],
    goal: Goal | None,
    notes: Sequence[str] = (),
) -> Finding:
    """Rounds of one figure that is compared with nothing but its goal."""
    middle = statistics.median(values)
    met = goal.holds(middle) if goal else None
    text = f"{spread(values)} {unit}"
    return Finding(case, what, text, "-", "-", str(goal or "-"), met, tuple(notes))


def spread(values: Sequence[float]) -> str:
    """The median, and the range if there are several values."""
    middle = figure(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({figure(min(values))} to {figure(max(values))})"


def figure(value: float) -> str:
    """A number as precise as the suite measures."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"
