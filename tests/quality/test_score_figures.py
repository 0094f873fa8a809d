"""Figures of scores against those of scikit-learn, on random scores."""

import numpy as np
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.quality import estimates, score_figures
from tests.quality.gold import NO, measured, rows_of, value_of


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are the same with any number of draws."""
    for function in (estimates.of_sums, estimates.bootstrap):
        monkeypatch.setattr(function, "__defaults__", (20, 1))


@pytest.mark.parametrize("seed", range(12))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    rows = int(rng.integers(4, 50))
    gold = rng.integers(0, 2, rows)
    gold[:2] = [0, 1]
    scores = rng.integers(0, 9, rows) / 8  # some of them equal
    weights = [float(each) for each in rng.uniform(0.5, 9, rows)] if seed % 2 else None
    groups = ["all"] * rows
    made = rows_of([int(each) for each in gold], [float(each) for each in scores], weights)
    found = measured(score_figures, made, groups)
    area = metrics.roc_auc_score(gold, scores, sample_weight=weights)
    mean = metrics.average_precision_score(gold, scores, sample_weight=weights)
    assert value_of(found["roc_auc"]) == pytest.approx(area)
    assert value_of(found["average_precision"]) == pytest.approx(mean)
    for name, most in (("ndcg", None), ("ndcg@10", 10)):
        expected = metrics.ndcg_score([gold], [scores], k=most)
        assert value_of(found[name]) == pytest.approx(expected)


def test_degrees_of_relevance_rank_within_their_groups() -> None:
    from sklearn import metrics

    gold, scores = [3, 0, 1, 2, 0, 1, 0], [0.2, 0.9, 0.4, 0.7, 0.1, 0.6, 0.5]
    groups = ["a", "a", "a", "b", "b", "c", "d"]
    found = measured(score_figures, rows_of(gold, scores), groups)
    first = metrics.ndcg_score([gold[:3]], [scores[:3]])
    assert list(found) == ["ndcg", "ndcg@10"], "AUC is for relevant or not"
    assert value_of(found["ndcg"]) == pytest.approx((first + 1 + 1) / 3)
    assert found["ndcg"].rows == 3, "a group without a relevant row has no best order"


def test_words_are_relevance_and_rows_without_a_score_are_left_out() -> None:
    found = measured(score_figures, rows_of(["yes", "no", "True"], [0.9, 0.1, NO]), [""] * 3)
    assert (found["roc_auc"].value, found["roc_auc"].rows) == (1.0, 2)
    with pytest.raises(UsageError, match="gold of row 1: 'good' is no number"):
        measured(score_figures, rows_of(["good"], [0.5]), [""])
