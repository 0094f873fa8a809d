"""Bins of seconds in flight: none is lost, and quantiles are of the right size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmbatch.core import latency_histogram

SECONDS = some.floats(0, 1e7, allow_nan=False)


def counted(seconds: list[float]) -> list[int]:
    counts = latency_histogram.empty()
    for each in seconds:
        counts[latency_histogram.bin_of(each)] += 1
    return counts


@given(SECONDS)
def test_a_request_is_within_the_bounds_of_its_bin(seconds: float) -> None:
    low, high = latency_histogram.bounds(latency_histogram.bin_of(seconds))
    assert low <= seconds < high


@given(some.lists(SECONDS), some.lists(SECONDS))
def test_counts_of_parts_are_the_counts_of_the_whole(
    first: list[float], second: list[float]
) -> None:
    both = latency_histogram.merged(counted(first), counted(second))
    assert both == counted(first + second)
    assert sum(both) == len(first) + len(second)


@given(some.lists(SECONDS.filter(lambda each: 0.001 <= each < 10**6), min_size=1))
def test_a_quantile_is_off_by_a_bin_at_most(seconds: list[float]) -> None:
    counts = counted(seconds)
    largest = latency_histogram.quantile(counts, 1.0)
    assert largest is not None
    assert max(seconds) / 1.26 <= largest <= max(seconds) * 1.26
    shares = [latency_histogram.quantile(counts, share / 10) or 0.0 for share in range(1, 11)]
    assert all(a <= b for a, b in pairwise(shares))


def test_the_median_of_many() -> None:
    found = latency_histogram.quantile(counted([n / 100 for n in range(1, 1001)]), 0.5)
    assert found == pytest.approx(5.0, rel=0.05)


def test_nothing_has_no_quantile() -> None:
    assert latency_histogram.quantile(latency_histogram.empty(), 0.5) is None
    assert latency_histogram.merged([], counted([1.0])) == counted([1.0])


def test_what_is_out_of_all_bounds_is_counted_too() -> None:
    counts = counted([0.0, 1e9])
    assert (counts[0], counts[-1], sum(counts)) == (1, 1, 2)
    assert latency_histogram.quantile(counts, 1.0) == latency_histogram.EDGES[-1]
