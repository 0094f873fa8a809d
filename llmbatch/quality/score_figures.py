"""Figures of scores: how well they rank what is relevant above what is not.

ROC AUC and average precision are those of scikit-learn, for gold of two values (0 and 1, false and
true, no and yes); nDCG is the mean over groups, with linear gains and the mean over the orders of
equal scores, as scikit-learn has it. A row without a score is left out, and told.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell
from llmbatch.quality import estimates, figures
from llmbatch.quality.estimates import Sample
from llmbatch.quality.figures import Figure, GoldRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

_WORDS = {"false": 0.0, "no": 0.0, "true": 1.0, "yes": 1.0}
NAMES = ("roc_auc", "average_precision", "ndcg", "ndcg@10")


def relevance(row: GoldRow) -> float:
    """The gold of a row as a number. Raises UsageError for one that is none."""
    text = cell(row.gold).strip().lower()
    try:
        return _WORDS[text] if text in _WORDS else float(text)
    except ValueError:
        raise UsageError(
            f"gold of row {row.id}: {text[:80]!r} is no number; relevance is 0 or 1, or a degree"
        ) from None


def number(value: Any) -> float | None:
    """A score as a number; None if it is none."""
    try:
        return None if isinstance(value, bool | None) else float(value)
    except (TypeError, ValueError):
        return None


def overall(
    rows: Sequence[GoldRow], sample: Sample, within: "Numbers", groups: Sequence[str]
) -> list[Figure]:
    """The figures over the rows `within` a group of an evaluation; `groups`: those that are ranked
    together, by row."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    scored = within & [number(row.answer) is not None for row in rows]
    kept = [row for row, is_kept in zip(rows, scored, strict=True) if is_kept]
    names = [name for name, is_kept in zip(groups, scored, strict=True) if is_kept]
    scores = np.array([number(row.answer) for row in kept], dtype=float)
    gold = np.array([relevance(row) for row in kept], dtype=float)
    part = figures.sample_of(kept)
    made = []
    for name, measure in (("roc_auc", roc_auc), ("average_precision", average_precision)):
        if kept and set(gold) <= {0.0, 1.0}:
            order = np.argsort(-scores, kind="stable")
            found = estimates.bootstrap(
                lambda weights, measure=measure, order=order: measure(  # type: ignore[misc]
                    scores[order], gold[order], weights[order]
                ),
                part,
            )
            made.append(figures.of_interval(name, found, len(kept), "bootstrap"))
    if kept:
        made += _ndcg(scores, gold, names)
    return made


def roc_auc(scores: "Numbers", gold: "Numbers", weights: "Numbers") -> float:
    """The area under the ROC curve of scores in descending order: the share of pairs of a relevant
    and another row that are in order, equal scores counted half."""
    import numpy as np

    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = np.cumsum(weights * gold)[ends]
    others = np.cumsum(weights * (1 - gold))[ends]
    if not hits[-1] or not others[-1]:
        return float("nan")
    before = np.concatenate([[0.0], hits[:-1]])
    steps = np.diff(np.concatenate([[0.0], others]))
    return float(((before + hits) / 2 * steps).sum() / (hits[-1] * others[-1]))


def average_precision(scores: "Numbers", gold: "Numbers", weights: "Numbers") -> float:
    """The mean of the precision at each score, by the share of relevant rows that it adds; scores
    are in descending order."""
    import numpy as np

    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits, all_rows = np.cumsum(weights * gold)[ends], np.cumsum(weights)[ends]
    if not hits[-1]:
        return float("nan")
    precision = hits / np.where(all_rows > 0, all_rows, 1)
    return float((np.diff(np.concatenate([[0.0], hits])) * precision).sum() / hits[-1])


def ndcg(scores: "Numbers", gold: "Numbers", most: int | None = None) -> float:
    """The discounted cumulative gain of a group, by that of the best order; NaN where nothing in it
    is relevant. Of rows with equal scores each order counts alike."""
    import numpy as np

    discount = 1 / np.log2(np.arange(len(scores)) + 2)
    if most is not None:
        discount[most:] = 0
    best = float(np.sort(gold)[::-1] @ discount)
    if best <= 0:
        return float("nan")
    _, places, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(places, weights=gold) / counts
    return float(np.repeat(means, counts) @ discount) / best


def _ndcg(scores: "Numbers", gold: "Numbers", names: Sequence[str]) -> list[Figure]:
    import numpy as np

    if (gold < 0).any():
        return []
    _, codes = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    places = [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]
    made = []
    for name, most in (("ndcg", None), ("ndcg@10", 10)):
        each = np.array([ndcg(scores[at], gold[at], most) for at in places])
        each = each[np.isfinite(each)]
        found = estimates.mean(each, Sample(len(each))) if len(each) else None
        if found is not None:
            made.append(figures.of_interval(name, found, len(each), "bootstrap"))
    return made
