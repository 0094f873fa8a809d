"""The data of a report's figures: distributions, and the events of a run over time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmbatch.accounting import timeline
from llmbatch.accounting.timeline import ChunkLine, Mark, Point, Timeline
from llmbatch.accounting.usage import RunUsage
from llmbatch.core import latency_histogram
from llmbatch.store import results
from llmbatch.store.database import Database

__all__ = [
    "ChunkLine",
    "Details",
    "FailureExample",
    "Histogram",
    "Mark",
    "Point",
    "Timeline",
    "build",
    "lengths",
    "waits",
]

_BINS = 32
# From here on bins grow with the values, because even ones would leave most answers in one.
_SKEWED = 12.0
_MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between `edges` (one more than counts; a value belongs to the bin that begins with
    it), and quantiles of the values themselves (of `seconds` those of the bins). `unit`: "tokens"
    or "seconds"."""

    unit: str
    edges: list[float]
    counts: list[int]
    mean: float
    p50: float
    p90: float
    p99: float
    largest: float


@dataclass(frozen=True, slots=True)
class FailureExample:
    """A failed row: its id, line and message."""

    kind: str
    id: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Details:
    """`timeline` is of the last run that did work. Lengths are of the present input's answers, a
    shared one counted once; `latency` of the seconds that the requests of that run were in
    flight."""

    timeline: Timeline | None
    prompt_tokens: Histogram | None
    output_tokens: Histogram | None
    latency: Histogram | None
    failure_examples: list[FailureExample]


def build(db: Database, last: RunUsage | None) -> Details:
    """The details of a job; `last`: the last run that did work, if any did."""
    counted = results.length_counts(db)
    return Details(
        timeline=None if last is None else timeline.build(db, last),
        prompt_tokens=lengths(counted.prompt),
        output_tokens=lengths(counted.output),
        latency=None if last is None else waits(last.latency),
        failure_examples=[
            FailureExample(row.kind, row.id, row.line, row.message or "")
            for row in results.failed_rows(db, _MOST_EXAMPLES)
        ],
    )


def lengths(counted: Mapping[int, int]) -> Histogram | None:
    """The histogram of lengths in tokens, each of which is there so many times."""
    if not counted:
        return None
    import numpy as np  # not before it is needed: its import takes longer than most commands

    values = np.array(sorted(counted))
    times = np.array([counted[value] for value in values.tolist()])
    quantiles = np.quantile(values, (0.5, 0.9, 0.99), weights=times, method="inverted_cdf")
    p50, p90, p99 = map(int, quantiles)
    edges = _edges(int(values[0]), int(values[-1]), p50)
    counts, _ = np.histogram(values, edges, weights=times)
    return Histogram(
        unit="tokens",
        edges=edges,
        counts=[int(count) for count in counts],
        mean=float(np.average(values, weights=times)),
        p50=p50,
        p90=p90,
        p99=p99,
        largest=int(values[-1]),
    )


def _edges(smallest: int, largest: int, median: int) -> list[float]:
    """Whole edges of bins that hold all from `smallest` to `largest`: even ones of 1, 2 or 5 times
    a power of ten, or growing ones where a few answers are far longer than most."""
    import numpy as np

    if largest > _SKEWED * max(1, median):
        growing = np.geomspace(max(1, smallest), largest + 1, _BINS + 1).round()
        return [float(edge) for edge in np.unique([smallest, *growing])]
    least = (largest - smallest + 1) / _BINS
    power: int = 10 ** math.floor(math.log10(max(1.0, least)))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    return [float(edge) for edge in range(smallest // width * width, largest + width + 1, width)]


def waits(counts: Sequence[int]) -> Histogram | None:
    """The histogram of seconds in flight, from counts in the bins of `core.latency_histogram`."""
    total = sum(counts)
    if not total:
        return None
    filled = [place for place, count in enumerate(counts) if count]
    shown = range(filled[0], filled[-1] + 1)
    bounds = [latency_histogram.bounds(place) for place in shown]
    last = min(bounds[-1][1], 10 * bounds[-1][0] or bounds[-1][1])
    p50, p90, p99 = (latency_histogram.quantile(counts, share) or 0.0 for share in (0.5, 0.9, 0.99))
    edges = [*(low for low, _ in bounds), last]
    middles = ((low + high) / 2 for low, high in pairwise(edges))
    shares = (counts[place] / total for place in shown)
    return Histogram(
        unit="seconds",
        edges=edges,
        counts=[counts[place] for place in shown],
        mean=sum(middle * share for middle, share in zip(middles, shares, strict=True)),
        p50=p50,
        p90=p90,
        p99=p99,
        largest=last,
    )
