"""The answers of matched rows against each other: how many changed, field by field, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from llmbatch.core import interval, vectors
from llmbatch.quality import normal_forms, shift
from llmbatch.quality.shift import Stability, Test
from llmbatch.store.pairs import FieldInAll, Move, Pairs

MOST_FIELDS = 200
_MOST_LABELS = 50
_MOST_MOVES = 20
_SAMPLED_TEXTS = 2_000
SAME_DIRECTION = 0.99
"""A vector counts as changed where the cosine to the one before is below this: those of another
model are far lower, those of the same one on another device far higher."""


@dataclass(frozen=True, slots=True)
class Churn:
    """The `changed` ones of so many `rows`: their share, which 95 % of such samples have between
    `low` and `high` (Wilson); the share is None without rows."""

    rows: int
    changed: int
    share: float | None
    low: float
    high: float

    @classmethod
    def of(cls, changed: int, rows: int) -> "Churn":
        found = interval.share(changed, rows)
        return cls(rows, changed, found.expected if rows else None, found.low, found.high)


@dataclass(frozen=True, slots=True)
class LabelRows:
    """A value, and the answered rows of each side that have it, matched or not."""

    value: str
    a_rows: int
    b_rows: int


@dataclass(frozen=True, slots=True)
class LabelMove:
    """Pairs whose value was `a` and is `b`."""

    a: str
    b: str
    rows: int


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """The values of a field that has few. `paired`: the test of the matched rows (None: none
    changed); `independent`: that of all answered rows as two samples, where some have no match;
    `moves`: the most frequent changes."""

    values: list[LabelRows]
    stability: Stability | None
    paired: Test | None
    independent: Test | None
    moves: list[LabelMove]


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """The values of a field of numbers in the `pairs` that have one on both sides. `test`: of their
    distributions, as two samples; `rank_correlation`: Spearman's (None where a side has one
    value)."""

    pairs: int
    a_mean: float
    b_mean: float
    a_median: float
    b_median: float
    mean_difference: float
    test: Test | None
    rank_correlation: float | None


@dataclass(frozen=True, slots=True)
class TextComparison:
    """The likeness of changed texts: chrF (0 to 100) of so many pairs (`texts`), a sample where
    there are more."""

    texts: int
    mean: float
    tenth: float
    median: float
    ninetieth: float


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """A field of the compared answers. `churn`: by its values as they are written; `normalised`: by
    their normal forms. One of `labels`, `numbers` and `texts` has more, by its `kind`."""

    field: str
    kind: Literal["labels", "numbers", "texts"]
    churn: Churn
    normalised: Churn
    labels: LabelComparison | None
    numbers: NumberComparison | None
    texts: TextComparison | None


@dataclass(frozen=True, slots=True)
class VectorComparison:
    """The cosines between the vectors of so many `pairs`: `different`: those that are not bit for
    bit the same; `changed`: those below `threshold`."""

    pairs: int
    different: int
    changed: int
    threshold: float
    mean: float
    median: float
    hundredth: float
    least: float


def of_fields(pairs: Pairs, *, has_unmatched: bool) -> list[FieldComparison]:
    """The fields of the compared answers."""
    found = []
    for name in pairs.fields(MOST_FIELDS):
        seen = pairs.take_field(name)
        if seen.rows:
            found.append(_of_field(pairs, name, seen, has_unmatched=has_unmatched))
    return found


def _of_field(pairs: Pairs, name: str, seen: FieldInAll, *, has_unmatched: bool) -> FieldComparison:
    alike = sum(_is_alike(a, b) for a, b in pairs.changed_values()) if seen.changed else 0
    kind = _kind(seen)
    labels = _labels(pairs, name, has_unmatched=has_unmatched) if kind == "labels" else None
    return FieldComparison(
        field=name,
        kind=kind,
        churn=Churn.of(seen.changed, seen.rows),
        normalised=Churn.of(seen.changed - alike, seen.rows),
        labels=labels,
        numbers=_numbers(pairs) if kind == "numbers" else None,
        texts=_texts(pairs) if kind == "texts" else None,
    )


def _kind(seen: FieldInAll) -> Literal["labels", "numbers", "texts"]:
    if seen.filled and not seen.no_numbers:
        return "numbers"
    kinds = max(seen.a_kinds, seen.b_kinds)
    return "labels" if kinds <= _MOST_LABELS and 2 * kinds <= max(4, seen.rows) else "texts"


def _is_alike(a: str | None, b: str | None) -> bool:
    one, other = (None if text is None else orjson.loads(text) for text in (a, b))
    return normal_forms.of_value(one) == normal_forms.of_value(other)


def _labels(pairs: Pairs, name: str, *, has_unmatched: bool) -> LabelComparison:
    values = [
        LabelRows(_shown(each.value), each.a_rows, each.b_rows)
        for each in pairs.side_values(name, _MOST_LABELS)
    ]
    before = {each.value: each.a_rows for each in values}
    after = {each.value: each.b_rows for each in values}
    moves = pairs.moves()
    return LabelComparison(
        values,
        shift.stability(before, after),
        _paired(moves),
        shift.homogeneity(before, after) if has_unmatched else None,
        [LabelMove(_shown(a), _shown(b), rows) for a, b, rows in moves if a != b][:_MOST_MOVES],
    )


def _paired(moves: Sequence[Move]) -> Test | None:
    table: Mapping[tuple[str, str], int] = {(a, b): rows for a, b, rows in moves}
    return shift.marginal_homogeneity(table)


def _shown(text: str) -> str:
    """A JSON text without the quotes of a string."""
    value = orjson.loads(text)
    return value if isinstance(value, str) else text


def _numbers(pairs: Pairs) -> NumberComparison | None:
    import numpy as np

    a, b = pairs.numbers()
    if not len(a):
        return None
    varies = len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0
    return NumberComparison(
        pairs=len(a),
        a_mean=float(a.mean()),
        b_mean=float(b.mean()),
        a_median=float(np.median(a)),
        b_median=float(np.median(b)),
        mean_difference=float((b - a).mean()),
        test=shift.kolmogorov_smirnov(a, b),
        rank_correlation=_spearman(a, b) if varies else None,
    )


def _spearman(a: Any, b: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def _texts(pairs: Pairs) -> TextComparison | None:
    """The likeness of changed texts, by chrF (M. Popovic 2015) as sacrebleu computes it."""
    import numpy as np

    from llmbatch.quality.text_figures import chrf, chrf_sums

    sampled = pairs.sampled_values(_SAMPLED_TEXTS)
    if not sampled:
        return None
    sums = np.array([chrf_sums(_shown(b), _shown(a)) for a, b in sampled])
    found = chrf(sums)
    tenth, median, ninetieth = (float(np.quantile(found, q)) for q in (0.1, 0.5, 0.9))
    return TextComparison(len(sampled), float(found.mean()), tenth, median, ninetieth)


def of_vectors(pairs: Pairs) -> VectorComparison | None:
    """The vectors of the compared answers; those that hardly turned count as unchanged from now on.
    None without any."""
    import numpy as np

    counted = pairs.answer_counts()
    cosines = []
    for window in pairs.changed_vectors():
        near = []
        for pair, a, b in window:
            cosines.append(_cosine(a, b))
            if cosines[-1] >= SAME_DIRECTION:
                near.append(pair)
        pairs.count_as_unchanged(near)
    if not counted.compared:
        return None
    every = np.ones(counted.compared)
    every[: len(cosines)] = cosines
    return VectorComparison(
        pairs=counted.compared,
        different=len(cosines),
        changed=sum(cosine < SAME_DIRECTION for cosine in cosines),
        threshold=SAME_DIRECTION,
        mean=float(every.mean()),
        median=float(np.median(every)),
        hundredth=float(np.quantile(every, 0.01)),
        least=float(every.min()),
    )


def _cosine(a: str, b: str) -> float:
    """The cosine of two vectors; 0 for vectors of other lengths, which have none."""
    import numpy as np

    one, other = (vectors.read(text).astype(float) for text in (a, b))
    if one.shape != other.shape:
        return 0.0
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
