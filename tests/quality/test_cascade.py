"""The threshold of a cascade: the lowest that reaches the target, measured by other rows."""

import random
from statistics import mean

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.quality import cascade
from llmbatch.quality.cascade import BothAnswers


def rows(count: int, seed: int = 1, accuracy: float = 0.95) -> list[BothAnswers]:
    """The first model is right as often as its confidence says."""
    drawn = random.Random(seed)
    made = []
    for number in range(count):
        confidence = drawn.uniform(0.5, 1)
        first, last = drawn.random() < confidence, drawn.random() < accuracy
        made.append(BothAnswers(f"{seed}-{number}", confidence, first, last))
    return made


def test_the_lowest_threshold_that_reaches_the_target_is_chosen() -> None:
    choice = cascade.choose(rows(4000), 0.9)
    # With a threshold t the rows below it have 0.95, the others (1 + t) / 2 at the mean.
    assert choice.is_sure and 0.7 < choice.threshold < 0.9
    assert choice.chosen_by + choice.measured_by == 4000
    assert choice.first_alone.expected == pytest.approx(0.75, abs=0.03)
    assert choice.last_alone.expected == pytest.approx(0.95, abs=0.02)
    share = (choice.threshold - 0.5) / 0.5
    assert choice.escalated.expected == pytest.approx(share, abs=0.04)
    assert choice.accuracy.low < 0.92 < choice.accuracy.high + 0.02
    assert cascade.choose(rows(4000), 0.5).threshold == 0


def test_a_target_out_of_reach_is_told() -> None:
    choice = cascade.choose(rows(2000), 0.99)
    assert choice.is_sure is None and not choice.is_met
    almost = cascade.choose(rows(400), 0.95)
    assert almost.is_sure is not True and not almost.is_met


def test_the_figure_is_not_that_of_the_rows_it_was_chosen_by() -> None:
    """With models that are both right at random no threshold is better than another: the accuracy
    by the rows that chose is too high, and that by the others is not."""
    measured = []
    for seed in range(40):
        drawn = random.Random(seed)
        pure = [
            BothAnswers(f"{seed}-{n}", drawn.random(), drawn.random() < 0.5, drawn.random() < 0.5)
            for n in range(200)
        ]
        measured.append(cascade.choose(pure, 0.9).accuracy.expected)
    assert mean(measured) == pytest.approx(0.5, abs=0.03)


def test_rows_that_failed_go_on_whatever_the_threshold_is() -> None:
    some = [BothAnswers(f"{n}", None, False, True) for n in range(100)]
    choice = cascade.choose(some, 0.9)
    assert (choice.threshold, choice.accuracy.expected, choice.escalated.expected) == (0, 1, 1)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        cascade.choose(rows(12), 0.9)
