"""Figures of labels: accuracy, and precision, recall and F1 of each label.

They are those of scikit-learn over the labels that are right or were given, with 0 where there is
nothing to divide by. A row without an answer is wrong: it counts as a label that none has. An F1 is
2J / (1 + J) of the share J of the rows that have the label, in gold or answer, in both; so are its
bounds. Figures over labels get the wider of the bounds by a bootstrap and by those of the labels:
few rows of a label may all be right by chance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell
from llmbatch.core.interval import Interval
from llmbatch.quality import agreement, estimates, figures
from llmbatch.quality.agreement import KAPPA
from llmbatch.quality.estimates import Sample
from llmbatch.quality.figures import Figure, GoldRow

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

MOST_LABELS = 1_000
_SHOWN = 50
NO_ANSWER, OTHERS = "(no answer)", "(others)"
_MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """A label: the rows of which it is the right one, those that got it, and those of both."""

    label: str
    gold_rows: int
    answered_rows: int
    right_rows: int
    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class Confusion:
    """Numbers of rows: `rows[i][j]` have the right label `gold[i]` and were answered `answers[j]`.
    The labels of most rows; the rest is put together."""

    gold: list[str]
    answers: list[str]
    rows: list[list[int]]


@dataclass(frozen=True)
class Labels:
    """The labels of rows: of gold, and of the answer, which is None for a row without one."""

    gold: Sequence[str]
    answers: Sequence[str | None]

    @classmethod
    def of(cls, rows: Sequence[GoldRow]) -> "Labels":
        answers = [label_of(row.answer) if row.is_answered else None for row in rows]
        return cls([label_of(row.gold) for row in rows], answers)

    @property
    def names(self) -> list[str]:
        """All of them in alphabetical order."""
        return sorted({*self.gold, *(name for name in self.answers if name is not None)})

    @property
    def hits(self) -> list[bool]:
        return [gold == answer for gold, answer in zip(self.gold, self.answers, strict=True)]


def label_of(value: Any) -> str:
    """A value as a label: its text, without white space at its ends."""
    return cell(value).strip()


def check(labels: Labels) -> None:
    """Raise UsageError for more labels than can be told apart."""
    if len(labels.names) > MOST_LABELS:
        raise UsageError(
            f"gold: {len(labels.names):,} different labels are too many for a table (at most "
            f"{MOST_LABELS:,}); if they are texts: --as text"
        )


def overall(rows: Sequence[GoldRow], sample: Sample, within: "Numbers") -> list[Figure]:
    """The figures over all labels, of the rows `within` a group."""
    labels = Labels.of(rows)
    by, of = figures.share_by(sample), int(within.sum())
    answered = within & [row.is_answered for row in rows]
    accuracy = estimates.share(labels.hits, sample, within)
    alone = estimates.share(labels.hits, sample, answered)
    beyond_chance = agreement.kappa(labels.gold, labels.answers, sample, answered)
    return [
        figures.of_interval("accuracy", accuracy, of, by),
        figures.of_interval("accuracy_answered", alone, int(answered.sum()), by),
        figures.of_interval(KAPPA, beyond_chance, int(answered.sum()), "bootstrap"),
        *_averages(labels, sample, within),
    ]


def of_labels(rows: Sequence[GoldRow], sample: Sample) -> list[LabelFigures]:
    """The figures of each label, that of most rows first."""
    labels = Labels.of(rows)
    gold, answered = Counter(labels.gold), Counter(labels.answers)
    both = Counter(name for name, hit in zip(labels.gold, labels.hits, strict=True) if hit)
    by = figures.share_by(sample)
    found = []
    for name in sorted(labels.names, key=lambda each: (-gold[each], each)):
        parts = _of_label(labels, name, sample)
        of = (answered[name], gold[name], gold[name] + answered[name] - both[name])
        made = [
            figures.of_interval(f"{measure}[{name}]", part, rows_of, by)
            for measure, part, rows_of in zip(_MEASURES, parts, of, strict=True)
        ]
        found.append(LabelFigures(name, gold[name], answered[name], both[name], *made))
    return found


def _of_label(labels: Labels, name: str, sample: Sample, within: Any = True) -> list[Interval]:
    """Precision, recall and F1 of a label."""
    import numpy as np  # not before it is needed: its import takes longer than most commands

    gold = np.array([each == name for each in labels.gold]) & within
    given = np.array([each == name for each in labels.answers]) & within
    both = gold & given
    precision, recall = (
        _or_zero(estimates.share(both, sample, each), each) for each in (given, gold)
    )
    joined = _or_zero(estimates.share(both, sample, gold | given), gold | given)
    f1 = Interval(*(2 * each / (1 + each) for each in (joined.expected, joined.low, joined.high)))
    return [precision, recall, f1]


def _or_zero(found: Interval, within: "Numbers") -> Interval:
    """0 where there is nothing to divide by, as scikit-learn has it."""
    return found if within.any() else Interval(0.0, 0.0, 1.0)


def _averages(labels: Labels, sample: Sample, within: "Numbers") -> list[Figure]:
    import numpy as np

    names = labels.names
    places = {name: place for place, name in enumerate(names)}
    count = len(names)
    parts = np.zeros((len(labels.gold), 3 * count))
    for row, (gold, answer) in enumerate(zip(labels.gold, labels.answers, strict=True)):
        if within[row]:
            parts[row, places[gold]] = 1
            if answer is not None:
                parts[row, count + places[answer]] = 1
                parts[row, 2 * count + places[gold]] = gold == answer

    statistics = {
        f"{kind}_{measure}": _average(count, measure, weighted=kind == "weighted")
        for kind in ("macro", "weighted")
        for measure in _MEASURES
    }
    found = estimates.of_sums(statistics, parts, sample)
    totals = sample.counted @ parts
    here = [name for name in names if totals[places[name]] or totals[count + places[name]]]
    each = [_of_label(labels, name, sample, within) for name in here]
    weights = [float(totals[places[name]]) for name in here]
    made = []
    for name, interval in found.items():
        kind, _, measure = name.partition("_")
        own = [one[_MEASURES.index(measure)] for one in each]
        floor = estimates.combined(own, weights if kind == "weighted" else [1.0] * len(own))
        wider = Interval(
            min(1.0, interval.expected),  # it may be a rounding above
            max(0.0, min(interval.low, floor.low)),
            min(1.0, max(interval.high, floor.high)),
        )
        made.append(figures.of_interval(name, wider, int(within.sum()), "bootstrap"))
    return made


def _average(count: int, measure: str, *, weighted: bool) -> estimates.Statistic:
    """The mean of a measure over labels, from the sums of rows with each label: in gold, in the
    answer, in both."""
    import numpy as np

    def average(sums: "Numbers") -> "Numbers":
        gold, given, both = (sums[..., at * count : (at + 1) * count] for at in range(3))
        under = {"precision": given, "recall": gold, "f1": gold + given}[measure]
        over = 2 * both if measure == "f1" else both
        each = np.where(under > 0, over / np.where(under > 0, under, 1), 0.0)
        seen = gold if weighted else ((gold + given) > 0).astype(float)
        found: Numbers = (each * seen).sum(axis=-1) / seen.sum(axis=-1)
        return found

    return average


def confusion(rows: Sequence[GoldRow]) -> Confusion:
    """The answers by right label, those of most rows first."""
    labels = Labels.of(rows)
    common = Counter(labels.gold) + Counter(a for a in labels.answers if a is not None)
    kept = sorted(common, key=lambda name: (-common[name], name))[:_SHOWN]
    known = set(kept)
    cells = Counter(
        (gold if gold in known else OTHERS, _answer_name(answer, known))
        for gold, answer in zip(labels.gold, labels.answers, strict=True)
    )
    right = [name for name in [*kept, OTHERS] if any(pair[0] == name for pair in cells)]
    given = [name for name in [*kept, OTHERS, NO_ANSWER] if any(p[1] == name for p in cells)]
    return Confusion(right, given, [[cells[gold, name] for name in given] for gold in right])


def _answer_name(answer: str | None, known: set[str]) -> str:
    if answer is None:
        return NO_ANSWER
    return answer if answer in known else OTHERS
