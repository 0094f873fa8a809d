"""Figures of texts against those of sacrebleu, and SQuAD's by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.quality import estimates, text_figures
from tests.quality.gold import NO, measured, rows_of, value_of

WORDS = ["the", "Cat", "sat", "größer", "日本語", "is", "a", "(new)", "e\u0301", "😀", "x.y", ""]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are the same with any number of draws."""
    monkeypatch.setattr(estimates.of_sums, "__defaults__", (20, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_chrf_is_that_of_sacrebleu(pairs: list[tuple[str, str]]) -> None:
    from sacrebleu.metrics import CHRF

    answers, gold = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    sums = np.array([text_figures.chrf_sums(*pair) for pair in pairs]).sum(axis=0)
    expected = CHRF().corpus_score(answers, [gold]).score
    assert float(text_figures.chrf(sums)) == pytest.approx(expected)


def test_weights_count_rows_as_often() -> None:
    gold, answers = ["the cat sat", "a dog", "no"], ["a cat sat", "dogs", "no"]
    once = measured(text_figures, rows_of(gold, answers, [3.0, 1.0, 2.0]))
    times = [0, 0, 0, 1, 2, 2]
    often = measured(text_figures, rows_of([gold[t] for t in times], [answers[t] for t in times]))
    for name, figure in once.items():
        assert value_of(figure) == pytest.approx(value_of(often[name])), name


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("The cat.", "cat", 1.0),
        ("a red cat", "the cat", 2 / 3),
        ("cat cat", "cat", 2 / 3),
        ("dog", "cat", 0.0),
        ("", "", 1.0),
        ("", "cat", 0.0),
    ],
)
def test_the_f1_of_tokens_is_that_of_squad(answer: str, gold: str, f1: float) -> None:
    assert text_figures.token_f1(answer, gold) == pytest.approx(f1)


def test_a_row_without_an_answer_is_wrong_even_where_nothing_is_right() -> None:
    found = measured(text_figures, rows_of(["", "Yes"], [NO, "yes."]))
    assert (found["exact"].value, found["normalised"].value) == (0.0, 0.5)
    assert found["normalised_answered"].value == 1.0
    assert found["token_f1"].value == 0.5
