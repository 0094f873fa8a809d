"""The time that a token costs an engine, learned from its own steps.

A step of a continuous-batching engine takes about

    seconds = per_step + per_sequence * sequences + per_prefill_token * prefill tokens

(the fixed cost of a step, what each request in the batch adds by making a token, and what each
prompt token adds that has to be computed). The three are fitted to the steps by least squares,
none below zero (Lawson and Hanson 1974; with three unknowns all sets of them are tried). Only sums
are kept of the steps, so that they add up over engines and runs and fit into a checkpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from math import inf, sqrt
from typing import Any, Self

# Of a step, of a sequence in it, of a prefill token in it.
Costs = tuple[float, float, float]

FEWEST_STEPS = 12
"""With fewer steps there is no fit."""
# Steps do not err independently of each other: what disturbs one often disturbs its neighbours.
_CORRELATED = 2.0
# With a diagonal of one: a system has no single solution if its smallest singular value is below
# this share of the largest; and a term of the diagonal that prevents that.
_SINGULAR = 1e-9
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class StepMoments:
    """Sums over steps. `t`: seconds of a step; `s`: sequences in it; `p`: prefill tokens in it; two
    letters: the products of two of these (`ts`: seconds times sequences). Stored by these names."""

    steps: int = 0
    t: float = 0.0
    s: float = 0.0
    p: float = 0.0
    tt: float = 0.0
    ts: float = 0.0
    tp: float = 0.0
    ss: float = 0.0
    sp: float = 0.0
    pp: float = 0.0

    @classmethod
    def of_step(cls, seconds: float, sequences: int, prefill: int) -> Self:
        t, s, p = seconds, float(sequences), float(prefill)
        return cls(1, t, s, p, t * t, t * s, t * p, s * s, s * p, p * p)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """From the result of `dataclasses.asdict`; no steps where an older llmbatch stored none."""
        return cls(**value) if value else cls()

    def __add__(self, other: "StepMoments") -> "StepMoments":
        names = (each.name for each in fields(StepMoments))
        return StepMoments(*(getattr(self, name) + getattr(other, name) for name in names))

    def __sub__(self, other: "StepMoments") -> "StepMoments":
        """The sums over the steps since `other`."""
        names = (each.name for each in fields(StepMoments))
        return StepMoments(*(getattr(self, name) - getattr(other, name) for name in names))


@dataclass(frozen=True, slots=True)
class StepCost:
    """Seconds per step, per sequence in it, per prefill token in it; `spread` is the standard
    deviation of what the three leave unexplained, as a share of the mean step."""

    per_step: float
    per_sequence: float
    per_prefill_token: float
    spread: float

    def seconds(self, steps: float, sequences: float, prefill: float) -> float:
        """The time of `steps` steps with so many sequences and prefill tokens in all."""
        fixed = self.per_step * steps + self.per_sequence * sequences
        return fixed + self.per_prefill_token * prefill


@dataclass(frozen=True, slots=True)
class Weights:
    """Seconds of the device that a computed prompt token and an output token stand for.

    An output token carries its share of its step's fixed cost. `measured` is False where the
    engine reported too little, and both tokens count the same."""

    prompt: float
    output: float
    measured: bool

    def seconds(self, computed_prompt_tokens: float, output_tokens: float) -> float:
        return self.prompt * computed_prompt_tokens + self.output * output_tokens


def fit(moments: StepMoments) -> StepCost | None:
    """The cost of a step; None where it cannot be learned from these steps."""
    if moments.steps < FEWEST_STEPS or moments.t <= 0:
        return None
    best: tuple[float, Costs] | None = None
    for size in (3, 2, 1):
        for chosen in combinations(range(3), size):
            costs = _solve(moments, chosen)
            if costs is None or min(costs) < 0:
                continue
            residual = _residual(moments, costs)
            if best is None or residual < best[0] * (1 - 1e-9):
                best = (residual, costs)
    if best is None:
        return None
    mean = moments.t / moments.steps
    spread = (max(0.0, best[0]) / moments.steps) ** 0.5 / mean
    return StepCost(*best[1], spread)


def weights(moments: StepMoments, accepted: int = 0) -> Weights:
    """The weights of tokens by these steps; equal where they cannot be learned. `accepted`: output
    tokens that came with another one, so that they had no step of their own."""
    cost = fit(moments)
    if cost is not None and moments.s > 0:
        output = cost.per_sequence + cost.per_step * moments.steps / moments.s
        if output > 0 and cost.per_prefill_token > 0:
            output *= moments.s / (moments.s + accepted)
            return Weights(cost.per_prefill_token, output, measured=True)
    tokens = moments.p + moments.s + accepted
    each = moments.t / tokens if tokens > 0 and moments.t > 0 else 1.0
    return Weights(each, each, measured=False)


def standard_error(moments: StepMoments, cost: StepCost, load: Costs) -> float:
    """The standard error of the seconds that a fit gives for (steps, sequences, prefill tokens):
    sigma sqrt(x' (X'X)^-1 x) of the theory of least squares, doubled because steps do not err
    independently, and more where they scatter by more than the mean step: then single ones that
    were disturbed carry the fit. What the steps have hardly varied in has a large error."""
    if not moments.steps:
        return inf
    matrix, _ = _system(moments)
    used = [index for index in range(3) if matrix[index][index] > 0]
    scaled, scale = _scaled(matrix, used)
    for index, row in enumerate(scaled):
        row[index] += _RIDGE
    vector = [load[index] * factor for index, factor in zip(used, scale, strict=True)]
    solution = _solution(scaled, vector)
    if solution is None:
        return inf
    variance = max(0.0, sum(x * y for x, y in zip(vector, solution, strict=True)))
    sigma = cost.spread * moments.t / moments.steps
    return _CORRELATED * max(1.0, cost.spread) * sigma * sqrt(variance)


def _system(moments: StepMoments) -> tuple[list[list[float]], list[float]]:
    """The normal equations."""
    m = moments
    matrix = [[float(m.steps), m.s, m.p], [m.s, m.ss, m.sp], [m.p, m.sp, m.pp]]
    return matrix, [m.t, m.ts, m.tp]


def _scaled(
    matrix: Sequence[Sequence[float]], chosen: Sequence[int]
) -> tuple[list[list[float]], list[float]]:
    """The chosen part of the matrix, each unknown in units that make its diagonal one; and the
    factor of each unit."""
    scale = [matrix[index][index] ** -0.5 for index in chosen]
    rows = [
        [matrix[i][j] * scale[a] * scale[b] for b, j in enumerate(chosen)]
        for a, i in enumerate(chosen)
    ]
    return rows, scale


def _solution(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """The solution of a linear system; None if it has no single one."""
    import numpy as np  # not before a fit is asked for: its import takes longer than most commands

    solution, _, rank, _ = np.linalg.lstsq(np.array(matrix), np.array(right), rcond=_SINGULAR)
    return [float(value) for value in solution] if rank == len(right) else None


def _solve(moments: StepMoments, chosen: tuple[int, ...]) -> Costs | None:
    """The least-squares values of the chosen unknowns, zero for the others; None if the steps do
    not determine them."""
    matrix, right = _system(moments)
    if any(matrix[index][index] <= 0 for index in chosen):
        return None
    scaled, scale = _scaled(matrix, chosen)
    solution = _solution(
        scaled, [right[i] * factor for i, factor in zip(chosen, scale, strict=True)]
    )
    if solution is None:
        return None
    costs = [0.0, 0.0, 0.0]
    for index, value, factor in zip(chosen, solution, scale, strict=True):
        costs[index] = value * factor
    return costs[0], costs[1], costs[2]


def _residual(moments: StepMoments, costs: Costs) -> float:
    """The sum of squares that these costs leave unexplained."""
    matrix, right = _system(moments)
    explained = sum(
        costs[i] * costs[j] * matrix[i][j] for i in range(3) for j in range(3)
    ) - 2 * sum(costs[i] * right[i] for i in range(3))
    return moments.tt + explained
