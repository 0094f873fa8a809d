"""Figures of free texts: exact and normalised match, the F1 of tokens, and chrF.

Normal form and F1 of tokens are those of SQuAD (P. Rajpurkar and others 2016). chrF is that of all
texts together, from 0 to 100, with n-grams of 1 to 6 characters without white space and beta 2
(M. Popović 2015), as sacrebleu has it by default; it is computed here from sums over the rows, so
that these can be weighted and drawn again. A row without an answer counts as an empty text.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmbatch.core.exact_json import cell
from llmbatch.quality import estimates, figures, normal_forms
from llmbatch.quality.estimates import Sample
from llmbatch.quality.figures import Figure, GoldRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

_ORDER, _BETA = 6, 2


def texts_of(row: GoldRow) -> tuple[str, str]:
    """The answer and the right one."""
    return (cell(row.answer) if row.is_answered else ""), cell(row.gold)


def is_right(row: GoldRow) -> bool:
    """True if the texts have the same normal form."""
    answer, gold = map(normal_forms.of_text, texts_of(row))
    return row.is_answered and answer == gold


def token_f1(answer: str, gold: str) -> float:
    """The F1 of the words of two texts in normal form; 1 for two empty ones."""
    ours, theirs = normal_forms.of_text(answer).split(), normal_forms.of_text(gold).split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs))


def chrf_sums(answer: str, gold: str) -> list[int]:
    """Of each length of n-grams: those of the answer, of gold, and of both. As in sacrebleu, those
    of the answer do not count where gold is too short for any of that length."""
    ours, theirs = ("".join(text.split()) for text in (answer, gold))
    found = []
    for length in range(1, _ORDER + 1):
        given, right = (
            Counter(text[at : at + length] for at in range(len(text) - length + 1))
            for text in (ours, theirs)
        )
        found += [given.total() if right else 0, right.total(), (given & right).total()]
    return found


def chrf(sums: "Numbers") -> "Numbers":
    """chrF by the sums of `chrf_sums` over rows, from 0 to 100. Lengths of which there are no
    n-grams on one side are left out."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    given, right, both = (sums[..., at : 3 * _ORDER : 3] for at in range(3))
    counted = (given > 0) & (right > 0)
    lengths = np.maximum(1, counted.sum(axis=-1))
    precision, recall = (
        np.where(counted, both / np.where(counted, each, 1), 0.0).sum(axis=-1) / lengths
        for each in (given, right)
    )
    under = _BETA**2 * precision + recall
    over = (1 + _BETA**2) * precision * recall
    found: Numbers = 100 * np.where(under > 0, over / np.where(under > 0, under, 1), 0.0)
    return found


def overall(rows: Sequence[GoldRow], sample: Sample, within: "Numbers") -> list[Figure]:
    """The figures over the rows `within` a group."""
    import numpy as np

    pairs = [texts_of(row) for row in rows]
    by, of = figures.share_by(sample), int(within.sum())
    exact = [r.is_answered and a == g for r, (a, g) in zip(rows, pairs, strict=True)]
    alike = [is_right(row) for row in rows]
    made = [
        figures.of_interval(name, estimates.share(hits, sample, within), of, by)
        for name, hits in (("exact", exact), ("normalised", alike))
    ]
    answered = within & [row.is_answered for row in rows]
    alone = estimates.share(alike, sample, answered)
    made.append(figures.of_interval("normalised_answered", alone, int(answered.sum()), by))
    shared = [
        token_f1(*pair) if r.is_answered else 0.0 for r, pair in zip(rows, pairs, strict=True)
    ]
    each = np.stack([shared, np.ones(len(rows))], axis=1)
    parts = np.concatenate([np.array([chrf_sums(*pair) for pair in pairs]), each], axis=1)
    statistics = {"token_f1": lambda sums: sums[..., -2] / sums[..., -1], "chrf": chrf}
    found = estimates.of_sums(statistics, parts * within[:, None], sample)
    return [*made, *(figures.of_interval(n, f, of, "bootstrap") for n, f in found.items())]
