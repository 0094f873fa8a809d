"""Strata of answered rows, and a sample of them for people to label.

The strata part the rows by confidence, warning signs and length, so that doubtful answers, of which
there are few, are drawn more often than the others. How many are drawn of each is J. Neyman's
allocation (1934; W. G. Cochran, Sampling Techniques, 1977, chapter 5.5): as the number of its rows
times the standard deviation of being wrong, which is guessed from the confidence. A row's number
in the draw depends on the seed and the row alone (permanent random numbers: E. Ohlsson 1995,
"Coordination of samples"), so a larger sample of the same strata holds the smaller one.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from llmbatch.quality.answers import RowAnswer

Factor = str
FACTORS: tuple[Factor, ...] = ("confidence", "flags", "length")
"""The traits that part rows into strata; of a small sample the last ones are left out first."""
_EDGES = (0.5, 0.8, 0.95)
_CONFIDENCES = ("below 0.5", "0.5 to 0.8", "0.8 to 0.95", "0.95 or more")
_LENGTHS = ("short", "middling", "long")
# Of fewer rows nothing is seen of how a stratum's rows scatter, and some may stay without a label.
_LEAST = 5
# The guessed share of wrong answers: where nothing says it, of flagged rows at least, and bounds.
_UNKNOWN, _FLAGGED, _FEWEST, _MOST = 0.2, 0.5, 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of a row. `length`: characters of its answer, or of its input."""

    row: int
    confidence: float | None
    flagged: bool
    length: int


@dataclass(frozen=True, slots=True)
class Stratum:
    """A stratum of so many `rows`, of which `drawn` are in the sample."""

    name: str
    rows: int
    drawn: int

    @property
    def weight(self) -> float:
        """The rows that each drawn one stands for: 1 / the probability of being drawn."""
        return self.rows / self.drawn


@dataclass(frozen=True, slots=True)
class LabelSample:
    """The drawn rows with their strata, ascending, and all strata."""

    rows: dict[int, Stratum]
    strata: list[Stratum]


def traits_of(answer: RowAnswer, *, flagged: bool, by_input: bool) -> Traits:
    """The traits of an answered row. `by_input`: answers are short words of a list, so the length
    is that of the input."""
    length = len(answer.data if by_input else answer.text or "")
    return Traits(answer.row, answer.confidence, flagged, length)


def draw(
    every: Sequence[Traits], size: int, seed: int, factors: Sequence[Factor] = FACTORS
) -> LabelSample:
    """A sample of `size` rows, or of all that there are."""
    size = min(size, len(every))
    for used in _fewer(factors):
        parted = _parted(every, used)
        # Half of the sample is left for the strata that have most of the rows.
        if 2 * sum(_least(parted.values())) <= size or not used:
            break
    counts = _allocated([*parted.values()], size)
    found: dict[int, Stratum] = {}
    strata = []
    for (name, rows), count in zip(parted.items(), counts, strict=True):
        stratum = Stratum(name, len(rows), count)
        strata.append(stratum)
        drawn = heapq.nsmallest(count, rows, key=lambda one: _place(seed, one.row))
        found |= {one.row: stratum for one in drawn}
    return LabelSample(dict(sorted(found.items())), strata)


def _place(seed: int, row: int) -> int:
    """The row's place in the draw, evenly spread over 64 bits."""
    return _mixed(_mixed(seed) + row * _GAMMA)


def _mixed(state: int) -> int:
    """The output function of SplitMix64 (G. Steele, D. Lea and C. Flood 2014)."""
    state = (state + _GAMMA) & _BITS
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _BITS
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _BITS
    return state ^ (state >> 31)


_GAMMA, _BITS = 0x9E3779B97F4A7C15, 2**64 - 1


def _fewer(factors: Sequence[Factor]) -> Iterator[Sequence[Factor]]:
    """The factors, and ever fewer of them."""
    used = [factor for factor in FACTORS if factor in factors]
    for count in range(len(used), -1, -1):
        yield used[:count]


def _parted(every: Sequence[Traits], factors: Sequence[Factor]) -> dict[str, list[Traits]]:
    """The rows by stratum, the most doubtful first."""
    cuts = _thirds(one.length for one in every) if "length" in factors else ()
    found: dict[tuple[int, ...], list[Traits]] = {}
    for one in every:
        found.setdefault(_cell(one, factors, cuts), []).append(one)
    return {_name(cell, factors, cuts): found[cell] for cell in sorted(found)}


def _thirds(lengths: Iterable[int]) -> tuple[int, ...]:
    """Two lengths that part all into three clusters of about as many rows; one or none where
    most are alike."""
    ordered = sorted(lengths)
    cuts = {ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]} if ordered else set()
    return tuple(sorted(cut for cut in cuts if cut > ordered[0]))


def _cell(one: Traits, factors: Sequence[Factor], cuts: Sequence[int]) -> tuple[int, ...]:
    given = {
        "confidence": len(_EDGES) + 1
        if one.confidence is None
        else sum(one.confidence >= edge for edge in _EDGES),
        "flags": int(not one.flagged),
        "length": sum(one.length >= cut for cut in cuts),
    }
    return tuple(given[factor] for factor in factors)


def _name(cell: Sequence[int], factors: Sequence[Factor], cuts: Sequence[int]) -> str:
    """The name of a stratum for people to read."""
    words = []
    for factor, place in zip(factors, cell, strict=True):
        if factor == "confidence" and place < len(_CONFIDENCES):
            words.append(f"confidence {_CONFIDENCES[place]}")
        if factor == "flags":
            words.append("not flagged" if place else "flagged")
        if factor == "length" and cuts:
            names = _LENGTHS if len(cuts) == 2 else (_LENGTHS[0], _LENGTHS[-1])
            words.append(names[place])
    return ", ".join(words) or "all"


def _least(strata: Iterable[Sequence[Traits]]) -> list[int]:
    """The rows of each stratum that are drawn in any case."""
    return [min(_LEAST, len(rows)) for rows in strata]


def _allocated(strata: Sequence[Sequence[Traits]], size: int) -> list[int]:
    """The rows to draw of each stratum, `size` in all; where one has fewer than its share, the
    others get more."""
    wished = [len(rows) * _scatter(rows) for rows in strata]
    counts = _least(strata) if len(strata) > 1 else [0] * len(strata)
    while sum(counts) < size:
        # The next row goes to the stratum that is the farthest below its wish (A. Sainte-Lague's
        # method of highest averages).
        open_ = [place for place, rows in enumerate(strata) if counts[place] < len(rows)]
        best = max(open_, key=lambda place: (wished[place] / (2 * counts[place] + 1), -place))
        counts[best] += 1
    return counts


def _scatter(rows: Sequence[Traits]) -> float:
    """The standard deviation of being wrong, as far as it can be guessed before any is labelled."""
    known = [one.confidence for one in rows if one.confidence is not None]
    wrong = 1 - sum(known) / len(known) if known else _UNKNOWN
    if rows[0].flagged and all(one.flagged for one in rows):
        wrong = max(wrong, _FLAGGED)
    wrong = min(max(wrong, _FEWEST), _MOST)
    return sqrt(wrong * (1 - wrong))
