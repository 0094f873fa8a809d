"""Estimates of shares and other figures, with and without weights."""

import numpy as np
import pytest

from llmbatch.core import interval
from llmbatch.quality import estimates
from llmbatch.quality.estimates import Sample


def test_a_share_of_rows_that_count_alike_has_the_bounds_of_wilson() -> None:
    hits = [True] * 7 + [False] * 3
    assert estimates.share(hits, Sample(10)) == interval.share(7, 10)
    within = [True] * 5 + [False] * 5
    assert estimates.share(hits, Sample(10), within) == interval.share(5, 5)
    assert estimates.share(hits, Sample(10), [False] * 10) == interval.share(0, 0)


def test_weights_count_rows_as_many_times() -> None:
    found = estimates.share([True, False], Sample(2, weights=[90.0, 10.0], strata=["a", "b"]))
    assert found.expected == pytest.approx(0.9)
    assert found.low < 0.3, "two rows tell little"


def test_strata_that_were_looked_at_whole_leave_nothing_unknown() -> None:
    strata = ["a"] * 4 + ["b"] * 2
    found = estimates.share([True, True, True, False, True, True], Sample(6, [1.0] * 6, strata))
    assert (found.low, found.expected, found.high) == (5 / 6, 5 / 6, 5 / 6)


def test_a_share_of_one_is_not_certain_for_a_few_rows_of_many() -> None:
    found = estimates.share([True] * 8, Sample(8, [50.0] * 8, ["a"] * 4 + ["b"] * 4))
    assert found.expected == found.high == 1
    assert 0.4 < found.low < 0.9


def test_equal_weights_are_those_of_a_plain_sample_but_for_what_was_seen() -> None:
    rng = np.random.default_rng(1)
    hits = [bool(each) for each in rng.random(400) < 0.8]
    weighted = estimates.share(hits, Sample(400, [1e6] * 400))
    plain = estimates.share(hits, Sample(400))
    assert weighted.low == pytest.approx(plain.low, abs=1e-3)
    assert weighted.high == pytest.approx(plain.high, abs=1e-3)


def test_a_bootstrap_is_the_same_each_time_and_about_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(2).random(300)
    found = estimates.mean(list(values), Sample(300))
    assert found == estimates.mean(list(values), Sample(300))
    half = 1.96 * values.std() / np.sqrt(300)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


def test_the_bootstrap_of_strata_is_about_as_wide_as_their_variances_say() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0.2, 0.05, 60), rng.normal(0.8, 0.1, 40)])
    weights, strata = [20.0] * 60 + [5.0] * 40, ["a"] * 60 + ["b"] * 40
    found = estimates.mean(list(values), Sample(100, weights, strata))
    share_a, share_b = 1200 / 1400, 200 / 1400
    error = np.hypot(
        share_a * values[:60].std(ddof=1) * np.sqrt(0.95 / 60),
        share_b * values[60:].std(ddof=1) * np.sqrt(0.8 / 40),
    )
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_a_figure_of_one_gets_the_bounds_of_a_share() -> None:
    found = estimates.mean([1.0] * 20, Sample(20))
    assert found.low == pytest.approx(interval.share(20, 20).low)
