"""The tree of labels: its nodes, and what it makes of their probabilities."""

import math

import pytest

from llmbatch.engines import label_tree

END = 9


def test_labels_that_begin_differently_take_one_node() -> None:
    tree = label_tree.make(["a", "b"], [[1, 2, 3], [4]], END, cut=True)
    assert list(tree.parts()) == [((), (1, 4))]
    assert tree.longest == 0
    assert tree.totals({(): {1: -1.0, 4: -2.0, 7: 0.0}}) == [-1.0, -2.0]


def test_shared_beginnings_are_followed_and_no_further() -> None:
    tree = label_tree.make(["a", "b", "c"], [[1, 2, 3, 4], [1, 2, 5, 4], [6, 7]], END, cut=True)
    assert tree.paths == ((1, 2, 3), (1, 2, 5), (6,))
    assert dict(tree.nodes) == {(): (1, 6), (1,): (2,), (1, 2): (3, 5)}
    found = {(): {1: -1.0, 6: -2.0}, (1,): {2: -0.5}, (1, 2): {3: -3.0, 5: -4.0}}
    assert tree.totals(found) == [-4.5, -5.5, -2.0]


def test_a_label_that_begins_another_ends_where_the_answer_would() -> None:
    tree = label_tree.make(["a", "ab"], [[1], [1, 2]], END, cut=True)
    assert tree.paths == ((1, END), (1, 2))
    assert dict(tree.nodes) == {(): (1,), (1,): (END, 2)}


def test_all_tokens_and_the_end_count_for_whole_labels() -> None:
    tree = label_tree.make(["a", "b"], [[1, 2], [3]], END, cut=False)
    assert tree.paths == ((1, 2, END), (3, END))
    assert tree.nodes.keys() == {(), (1,), (1, 2), (3,)}


def test_many_labels_are_asked_for_in_parts() -> None:
    count = 2 * label_tree.MOST_AT_ONCE + 1
    tokens = [[n] for n in range(10, 10 + count)]
    tree = label_tree.make([str(n) for n in range(count)], tokens, END, cut=True)
    parts = list(tree.parts())
    assert [len(part.following) for part in parts] == [label_tree.MOST_AT_ONCE] * 2 + [1]
    assert sum((part.following for part in parts), ()) == tuple(n for (n,) in tokens)


def test_a_token_that_is_ruled_out_has_a_number_that_json_has() -> None:
    tree = label_tree.make(["a", "b"], [[1], [2]], END, cut=True)
    assert tree.totals({(): {1: -math.inf, 2: -1.0}}) == [label_tree.UNLIKELY, -1.0]


@pytest.mark.parametrize(
    ("tokens", "reason"), [([[1], [1]], "'a' and 'b' are the same tokens"), ([[1], []], "'b'")]
)
def test_labels_that_cannot_be_told_apart_are_refused(tokens: list[list[int]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        label_tree.make(["a", "b"], tokens, END, cut=True)
