"""Figures of labels against those of scikit-learn, on random predictions."""

from typing import Any

import numpy as np
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.quality import estimates, label_figures
from llmbatch.quality.figures import sample_of
from tests.quality.gold import NO, measured, rows_of, value_of

LABELS = ["refund", "Rückgabe", "返金", "a b", "😀"]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are the same with any number of draws."""
    monkeypatch.setattr(estimates.of_sums, "__defaults__", (20, 1))


def drawn(seed: int) -> tuple[list[str], list[Any], list[float] | None]:
    """Right labels, answers, of which some rows have none, and weights, if there are some: of one
    to five labels, of which gold or answers may lack some."""
    rng = np.random.default_rng(seed)
    given, right = rng.integers(1, 6, 2)
    rows = int(rng.integers(1, 60))
    gold = [LABELS[at] for at in rng.integers(0, right, rows)]
    answers: list[Any] = [LABELS[at] for at in rng.integers(5 - given, 5, rows)]
    answers = [g if rng.random() < 0.6 else a for g, a in zip(gold, answers, strict=True)]
    answers = [NO if rng.random() < 0.1 else answer for answer in answers]
    weights = [float(each) for each in rng.uniform(0.5, 20, rows)] if seed % 2 else None
    return gold, answers, weights


@pytest.mark.parametrize("seed", range(24))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    gold, answers, weights = drawn(seed)
    rows = rows_of(gold, answers, weights)
    found = measured(label_figures, rows)
    given = ["(none)" if answer is NO else answer for answer in answers]
    names = sorted({*gold, *given} - {"(none)"})
    accuracy = metrics.accuracy_score(gold, given, sample_weight=weights)
    assert value_of(found["accuracy"]) == pytest.approx(accuracy)
    for kind in ("macro", "weighted"):
        expected = metrics.precision_recall_fscore_support(
            gold, given, labels=names, average=kind, sample_weight=weights, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert value_of(found[f"{kind}_{name}"]) == pytest.approx(value), (kind, name)
    each = metrics.precision_recall_fscore_support(
        gold, given, labels=names, sample_weight=weights, zero_division=0
    )
    for label in label_figures.of_labels(rows, sample_of(rows)):
        at = names.index(label.label)
        told = [figure.value or 0.0 for figure in (label.precision, label.recall, label.f1)]
        assert told == pytest.approx([each[0][at], each[1][at], each[2][at]])


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_the_confusion_is_that_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    gold, answers, _ = drawn(seed)
    found = label_figures.confusion(rows_of(gold, answers))
    given = [label_figures.NO_ANSWER if answer is NO else answer for answer in answers]
    names = [*LABELS, label_figures.NO_ANSWER]
    expected = metrics.confusion_matrix(gold, given, labels=names)
    for row, right in enumerate(found.gold):
        for column, answer in enumerate(found.answers):
            there = expected[names.index(right)][names.index(answer)]
            assert found.rows[row][column] == there
    assert sum(map(sum, found.rows)) == len(gold)


def test_rows_without_an_answer_are_wrong_and_left_out_of_the_other_accuracy() -> None:
    found = measured(label_figures, rows_of(["a", "a", "b", "b"], ["a", NO, "b", " b "]))
    assert (found["accuracy"].value, found["accuracy"].rows) == (0.75, 4)
    assert (found["accuracy_answered"].value, found["accuracy_answered"].rows) == (1.0, 3)


def test_a_label_of_few_rows_is_not_certain_though_all_are_right() -> None:
    rows = rows_of(["a"] * 100 + ["b"] * 3, ["a"] * 100 + ["b"] * 3)
    found = {label.label: label for label in label_figures.of_labels(rows, sample_of(rows))}
    assert found["b"].f1.value == 1
    assert (found["b"].f1.low or 1) < 0.7
    assert (measured(label_figures, rows)["macro_f1"].low or 1) < 0.87


def test_too_many_labels_are_texts() -> None:
    rows = rows_of([str(each) for each in range(1001)], ["0"] * 1001)
    with pytest.raises(UsageError, match="--as text"):
        label_figures.check(label_figures.Labels.of(rows))
