"""The figures of changed answers equal those that are computed one by one."""

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llmbatch.core import interval
from llmbatch.quality import churn, compared_rows, shift
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.churn import FieldComparison
from llmbatch.store import pairs
from llmbatch.store.pairs import Pairs


@contextmanager
def matched(
    a: Sequence[Any], b: Sequence[Any], kind: str | None = "json", *, as_cells: bool = False
) -> Iterator[Pairs]:
    with pairs.opened() as made:
        for side, answers in enumerate((a, b)):
            rows = [
                RowAnswer(place, str(place), place, "answered", f'{{"id": {place}}}', "", answer)
                for place, answer in enumerate(answers, 1)
            ]
            made.add(side, compared_rows.batches(rows, kind, as_cells=as_cells))
        made.match(["id"], ["id"])
        yield made


def fields(a: Sequence[Any], b: Sequence[Any], **more: Any) -> dict[str, FieldComparison]:
    with matched(a, b, **more) as made:
        return {each.field: each for each in churn.of_fields(made, has_unmatched=True)}


def records(rng: random.Random) -> list[dict[str, Any]]:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    return [
        {
            "category": rng.choice(["refund", "billing", "other"]),
            "priority": rng.choice([1, 2, 3, None]),
            "summary": " ".join(rng.choices(words, k=6)),
        }
        for _ in range(120)
    ]


def test_fields_equal_a_count_by_hand() -> None:
    rng = random.Random(2)
    a = records(rng)
    b = [new if rng.random() < 0.3 else old for old, new in zip(a, records(rng), strict=True)]
    found = fields(a, b)
    assert {name: each.kind for name, each in found.items()} == {
        "category": "labels",
        "priority": "numbers",
        "summary": "texts",
    }
    for name, each in found.items():
        changed = sum(x[name] != y[name] for x, y in zip(a, b, strict=True))
        share = interval.share(changed, 120)
        assert (each.churn.changed, each.churn.rows) == (changed, 120)
        assert (each.churn.low, each.churn.high) == (share.low, share.high)

    labels = found["category"].labels
    assert labels is not None
    before, after = (Counter(each["category"] for each in side) for side in (a, b))
    assert {v.value: (v.a_rows, v.b_rows) for v in labels.values} == {
        name: (before[name], after[name]) for name in before
    }
    assert labels.stability == shift.stability(before, after)
    moved = Counter((x["category"], y["category"]) for x, y in zip(a, b, strict=True))
    assert labels.paired is not None
    expected = shift.marginal_homogeneity(moved)
    assert expected is not None
    assert labels.paired.statistic == pytest.approx(expected.statistic)
    assert labels.independent == shift.homogeneity(before, after)

    numbers = found["priority"].numbers
    both = [
        (x["priority"], y["priority"])
        for x, y in zip(a, b, strict=True)
        if None not in (x["priority"], y["priority"])
    ]
    assert numbers is not None
    assert numbers.pairs == len(both)
    assert numbers.mean_difference == pytest.approx(np.mean([y - x for x, y in both]))
    xs, ys = ([pair[side] for pair in both] for side in (0, 1))
    assert numbers.rank_correlation == pytest.approx(stats.spearmanr(xs, ys).statistic)
    assert numbers.test is not None
    assert numbers.test.p_value == pytest.approx(stats.ks_2samp(xs, ys).pvalue)


def test_changed_texts_are_as_alike_as_sacrebleu_says() -> None:
    import sacrebleu

    old, new = "the order was sent to the wrong address", "the order went to a wrong address"
    # Texts of many kinds, so that they are no labels.
    others = [f"text {number}" for number in range(9)]
    texts = fields([old, *others], [new, *others], kind="text")["response"].texts
    assert texts is not None
    assert texts.texts == 1
    assert texts.mean == pytest.approx(sacrebleu.sentence_chrf(new, [old]).score)


def test_normal_forms_and_orders_of_members_are_told_apart_from_other_answers() -> None:
    a = [{"name": "Ann", "sum": "1,000", "more": {"x": 1, "y": 2}}]
    b = [{"sum": "1000", "name": "ann ", "more": {"y": 2, "x": 1}}]
    found = fields(a, b)
    assert {name: each.churn.changed for name, each in found.items()} == {
        "more": 0,
        "name": 1,
        "sum": 1,
    }
    assert all(each.normalised.changed == 0 for each in found.values())


def test_a_number_in_a_table_of_texts_is_the_number() -> None:
    rows = [{"a": 1, "b": True, "c": None}] * 3
    texts = [{"a": "1", "b": "true", "c": None}] * 3
    assert fields(rows, texts)["a"].churn.changed == 3
    cells = fields(rows, texts, as_cells=True)
    assert sum(each.churn.changed for each in cells.values()) == 0


def vector(numbers: Sequence[float]) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


def test_vectors_that_hardly_turn_are_no_churn() -> None:
    a = [vector([1, 0]), vector([1, 0]), vector([1, 0]), [1.0, 0.0]]
    b = [vector([1, 0]), vector([1, 1e-3]), vector([1, 1]), vector([1, 0])]
    with matched(a, b, "vector") as made:
        found = churn.of_vectors(made)
        assert made.answer_counts().changed == 1
    assert found is not None
    assert (found.pairs, found.different, found.changed) == (4, 2, 1)
    assert found.least == pytest.approx(2**-0.5)


def test_a_score_counts_by_six_digits() -> None:
    with matched([0.3, 0.3], [0.30000000001, 0.4], "score") as made:
        assert made.answer_counts().changed == 1
        (found,) = churn.of_fields(made, has_unmatched=False)
    assert found.numbers is not None


def test_a_confidence_is_a_field_and_no_other_answer() -> None:
    with pairs.opened() as made:
        for side, confidence in enumerate((0.9, 0.8)):
            row = RowAnswer(1, "1", 1, "answered", "{}", "", "a", {"confidence": confidence})
            made.add(side, compared_rows.batches([row], "label", as_cells=False))
        made.match([], [])
        assert made.answer_counts().changed == 0
        names = [each.field for each in churn.of_fields(made, has_unmatched=False)]
    assert names == ["confidence", "response"]


def test_hostile_values_change_nothing() -> None:
    odd = [{"a": "\u202e'; DROP TABLE pairs; --", "b/~'\"": [1, {"c": None}]}, {"a": "\x00"}]
    found = fields(odd, json.loads(json.dumps(odd)))
    assert sum(each.churn.changed for each in found.values()) == 0
