"""Recall of the rows that belong together."""

import numpy as np
import pytest

from llmbatch.quality import pair_figures
from tests.quality.gold import measured, rows_of, value_of


def test_rows_with_one_gold_belong_together_and_ids_name_a_partner() -> None:
    groups = rows_of(["x", "y", "x", "x"], [None] * 4)
    assert pair_figures.partners(groups, list("1234")) == [
        {"3", "4"},
        set(),
        {"1", "4"},
        {"1", "3"},
    ]
    pairs = rows_of(["4", "3"], [None] * 2)
    assert pair_figures.partners(pairs, list("1234")) == [{"4"}, {"3"}]


def test_recalls_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(300, 8)).astype(np.float32)
    ids = [str(place) for place in range(1, 301)]
    rows = rows_of([str(place % 40) + "g" for place in range(300)], [None] * 300)
    wanted = pair_figures.partners(rows, ids)
    found = pair_figures.recalls(rows, wanted, ids, vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for place in (0, 7, 299):
        likeness = units @ units[place]
        likeness[place] = -2
        order = [ids[at] for at in np.argsort(-likeness)]
        expected = [
            len(wanted[place] & set(order[:k])) / len(wanted[place]) for k in pair_figures.AT
        ]
        assert found[place].tolist() == pytest.approx(expected)
    figures = measured(pair_figures, rows, found)
    assert value_of(figures["recall@10"]) == pytest.approx(found[:, 2].mean())


def test_a_row_without_a_vector_finds_nothing_and_one_alone_does_not_count() -> None:
    rows = rows_of(["x", "x", "alone"], [None] * 3)
    wanted = pair_figures.partners(rows, ["1", "3"])
    found = pair_figures.recalls(rows, wanted, ["1", "3"], np.eye(2, dtype=np.float32))
    assert found[:2].tolist() == [[0.0] * 3] * 2
    assert measured(pair_figures, rows, found)["recall@1"].rows == 2
