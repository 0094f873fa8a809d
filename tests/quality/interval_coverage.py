"""The rate at which intervals of 95 % hold the true figure, by simulation.

python -m tests.quality.interval_coverage [--samples 2000]
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmbatch.core import interval
from llmbatch.core.interval import Interval
from llmbatch.quality import agreement, estimates
from llmbatch.quality.estimates import Sample
from llmbatch.quality.label_strata import Traits, draw

Numbers = npt.NDArray[np.float64]
Case = Callable[[np.random.Generator], tuple[Interval, float]]
NOMINAL = 0.95


@dataclass(frozen=True)
class Coverage:
    """Of so many `samples`: the share whose interval holds the true figure, the mean error of the
    estimate, and the standard error of that mean."""

    samples: int
    covered: float
    bias: float
    bias_error: float


def simulate(case: Case, samples: int, seed: int = 1) -> Coverage:
    """Draw so many samples, and compare each with the truth."""
    rng = np.random.default_rng(seed)
    found = [case(rng) for _ in range(samples)]
    errors = np.array([one.expected - truth for one, truth in found])
    covered = sum(one.low - 1e-12 <= truth <= one.high + 1e-12 for one, truth in found) / samples
    error = float(errors.std(ddof=1) / np.sqrt(samples))
    return Coverage(samples, covered, float(errors.mean()), error)


def wilson(share: float, rows: int) -> Case:
    """A share of rows that count alike."""

    def case(rng: np.random.Generator) -> tuple[Interval, float]:
        return interval.share(int(rng.binomial(rows, share)), rows), share

    return case


def bootstrap(rows: int, draws: int = estimates.DRAWS) -> Case:
    """The mean of a skewed figure from 0 to 1, as of token F1: many ones, and a rest below."""

    def case(rng: np.random.Generator) -> tuple[Interval, float]:
        values = np.where(rng.random(rows) < 0.4, 1.0, rng.beta(2, 3, rows))
        parts = np.stack([values, np.ones(rows)], axis=1)
        found = estimates.of_sums({"mean": _mean}, parts, Sample(rows), draws)
        return found["mean"], 0.4 + 0.6 * 0.4

    return case


def _mean(sums: Numbers) -> Numbers:
    made: Numbers = sums[..., 0] / sums[..., 1]
    return made


class Population:
    """A job of so many rows: confidence, flags and lengths, and answers that are wrong the more
    often the less sure they are. Its truth is the share of right ones among all rows."""

    def __init__(self, rows: int, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self.confidence = np.clip(rng.beta(6, 1.2, rows), 0.2, 0.999)
        self.flagged = rng.random(rows) < 0.05
        self.lengths = rng.lognormal(4, 1, rows).astype(int)
        wrong = np.clip(1 - self.confidence, 0, 1) * 0.8 + 0.3 * self.flagged
        self.right = rng.random(rows) >= wrong
        self.truth = float(self.right.mean())
        self.traits = [
            Traits(row, float(c), bool(f), int(n))
            for row, (c, f, n) in enumerate(
                zip(self.confidence, self.flagged, self.lengths, strict=True)
            )
        ]

    def labelled(self, size: int, rng: np.random.Generator) -> tuple[list[int], Sample]:
        """The rows that `llmbatch label` draws with another seed, with their weights."""
        sample = draw(self.traits, size, int(rng.integers(2**62)))
        rows = [*sample.rows]
        weights = [sample.rows[row].weight for row in rows]
        return rows, Sample(len(rows), weights, [sample.rows[row].name for row in rows])

    def weighted(self, size: int) -> Case:
        """The share of right ones, estimated from rows that were drawn by strata."""

        def case(rng: np.random.Generator) -> tuple[Interval, float]:
            rows, sample = self.labelled(size, rng)
            return estimates.share(self.right[rows], sample), self.truth

        return case

    def unweighted(self, size: int) -> Case:
        """The same rows, as if each had been drawn as often as any other: wrong, and seen to be."""

        def case(rng: np.random.Generator) -> tuple[Interval, float]:
            rows, _ = self.labelled(size, rng)
            return interval.share(int(self.right[rows].sum()), len(rows)), self.truth

        return case

    def weighted_mean(self, size: int, draws: int = estimates.DRAWS) -> Case:
        """The mean confidence of all rows by the bootstrap of strata."""
        truth = float(self.confidence.mean())

        def case(rng: np.random.Generator) -> tuple[Interval, float]:
            rows, sample = self.labelled(size, rng)
            parts = np.stack([self.confidence[rows], np.ones(len(rows))], axis=1)
            return estimates.of_sums({"mean": _mean}, parts, sample, draws)["mean"], truth

        return case


def kappa(rows: int) -> Case:
    """Cohen's kappa of two raters with three labels, who agree in 70 % beyond chance."""
    names = np.array(["a", "b", "c"])
    shares = np.array([0.6, 0.3, 0.1])

    def case(rng: np.random.Generator) -> tuple[Interval, float]:
        first = rng.choice(names, rows, p=shares)
        second = np.where(rng.random(rows) < 0.7, first, rng.choice(names, rows, p=shares))
        everywhere = np.ones(rows, dtype=np.bool_)
        found = agreement.kappa(
            [str(one) for one in first], [str(one) for one in second], Sample(rows), everywhere
        )
        return found, 0.7

    return case


def cases() -> Iterator[tuple[str, Case]]:
    """All that is simulated, by name."""
    for rows in (20, 100, 400):
        for share in (0.5, 0.9, 0.98):
            yield f"Wilson, share {share:g} of {rows} rows", wilson(share, rows)
    for rows in (30, 200):
        yield f"bootstrap, mean of {rows} rows", bootstrap(rows)
        yield f"bootstrap, kappa of {rows} rows", kappa(rows)
    population = Population(5_000)
    for size in (60, 200, 1_000):
        yield f"share by {size} drawn rows, weighted", population.weighted(size)
        yield f"mean by {size} drawn rows, weighted", population.weighted_mean(size)
    yield "share by 200 drawn rows, weights left out", population.unweighted(200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2_000)
    samples = parser.parse_args().samples
    print(f"{'':44} {'held':>7} {'bias':>9} {'its error':>10}   ({samples:,} samples each)")
    for name, case in cases():
        found = simulate(case, samples)
        bias = f"{found.bias:+.5f} {found.bias_error:10.5f}"
        print(f"{name:44} {found.covered:7.1%} {bias}", flush=True)


if __name__ == "__main__":
    main()
