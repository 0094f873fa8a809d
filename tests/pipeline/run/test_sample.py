"""The sample that is the first part of a job: which rows, in which groups."""

from itertools import pairwise

import pytest

from llmbatch.pipeline.run import sample


@pytest.mark.parametrize("count", [*range(1, 40), 50, 200, 1_000])
def test_groups_grow_and_hold_each_position_once(count: int) -> None:
    positions = list(range(0, 10 * count, 10))
    groups = sample.groups(positions)
    assert sorted(place for group in groups for place in group) == positions
    assert [len(group) for group in groups] == sorted(len(group) for group in groups)
    assert all(group == sorted(group) for group in groups)
    assert count < 3 or len(groups[0]) == 1


def test_a_sample_of_fifty_has_steps_of_several_sizes() -> None:
    assert [len(group) for group in sample.groups(range(50))] == [1, 2, 3, 4, 5, 7, 10, 18]


def test_the_largest_group_is_spread_over_the_whole_order() -> None:
    largest = sample.groups(range(1_000))[-1]
    gaps = {later - earlier for earlier, later in pairwise(largest)}
    assert gaps <= {1, 2, 3, 4, 5, 6}


def test_no_positions_make_no_groups() -> None:
    assert sample.groups([]) == []
