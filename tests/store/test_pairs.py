"""Rows of two sides are matched as one would match them by hand, in any order."""

import json
import random
from collections import Counter, defaultdict

import pytest

from llmbatch.store import pairs
from llmbatch.store.pairs import BY_PLACE, AnswerCounts, ComparedRow, MatchCounts

Rows = list[ComparedRow]


def row(place: int, data: dict[str, str], answer: str | None) -> ComparedRow:
    state = "failed" if answer is None else "answered"
    fields = None if answer is None else json.dumps({"response": answer})
    text = json.dumps(data)
    return ComparedRow(place, str(place), text, state, None if answer else "odd", answer, fields)


def drawn(rng: random.Random, count: int) -> list[tuple[dict[str, str], str | None]]:
    return [
        (
            {"id": rng.choice("abcdefghijklmnop"), "x": rng.choice("uv")},
            rng.choice(["y", "z", None]),
        )
        for _ in range(count)
    ]


def placed(rows: list[tuple[dict[str, str], str | None]]) -> Rows:
    return [row(place, data, answer) for place, (data, answer) in enumerate(rows, 1)]


def matched(a: Rows, b: Rows, by: list[str] | str) -> tuple[MatchCounts, AnswerCounts]:
    with pairs.opened() as made:
        made.add(0, [window for window in (a[:5], a[5:]) if window])
        made.add(1, [b])
        return made.match(by, ["id", "x"]), made.answer_counts()


@pytest.mark.parametrize("seed", range(3))
def test_pairs_equal_those_that_are_matched_by_hand(seed: int) -> None:
    rng = random.Random(seed)
    former, latter = drawn(rng, 30), drawn(rng, 25)
    groups: dict[str, tuple[Counter[str | None], Counter[str | None]]]
    groups = defaultdict(lambda: (Counter(), Counter()))
    for side, rows in enumerate((former, latter)):
        for data, answer in rows:
            groups[json.dumps(data)][side][answer] += 1
    both = sum(min(a.total(), b.total()) for a, b in groups.values())
    changed = compared = 0
    for a, b in groups.values():
        equal = a & b
        # Answered ones come first of what is left.
        left = [side - equal for side in (a, b)]
        others = min(side.total() - side[None] for side in left)
        compared += equal.total() - equal[None] + others
        changed += others
    found, answers = matched(placed(former), placed(latter), ["id", "x"])
    assert (found.matched, found.only_a, found.only_b) == (both, 30 - both, 25 - both)
    assert (answers.compared, answers.changed) == (compared, changed)
    rng.shuffle(former)
    rng.shuffle(latter)
    assert matched(placed(former), placed(latter), ["id", "x"]) == (found, answers)


def test_the_same_rows_in_another_order_have_no_churn() -> None:
    rows = drawn(random.Random(9), 40)
    other = list(reversed(rows))
    found, answers = matched(placed(rows), placed(other), ["id"])
    assert (found.matched, found.only_a, found.only_b) == (40, 0, 0)
    assert (answers.changed, answers.newly_failed, answers.newly_answered) == (0, 0, 0)


def test_another_input_of_an_id_is_no_churn() -> None:
    a = placed([({"id": "1", "x": "u"}, "y"), ({"id": "2", "x": "u"}, "y")])
    b = placed([({"id": "2", "x": "v"}, "z"), ({"id": "1", "x": "u"}, "z")])
    found, answers = matched(a, b, ["id"])
    assert (found.matched, found.other_input, found.ambiguous) == (2, 1, 0)
    assert (answers.compared, answers.changed, answers.changed_of_other_input) == (1, 1, 1)


def test_pairs_that_only_their_order_has_chosen_are_ambiguous() -> None:
    a = placed([({"id": "1", "x": "u"}, "y"), ({"id": "1", "x": "u"}, "z")])
    b = placed([({"id": "1", "x": "u"}, "p"), ({"id": "1", "x": "u"}, "q")])
    assert matched(a, b, ["id"])[0].ambiguous == 2
    assert matched(a, placed([({"id": "1", "x": "u"}, "z")]), ["id"])[0].ambiguous == 0


def test_places_match_only_if_they_are_asked_for() -> None:
    a = placed([({"id": "1", "x": "u"}, "y"), ({"id": "2", "x": "u"}, "z")])
    b = placed([({"id": "3", "x": "u"}, "y"), ({"id": "4", "x": "u"}, "z")])
    assert matched(a, b, ["id"])[0].matched == 0
    found, answers = matched(a, b, BY_PLACE)
    assert (found.matched, found.other_input, answers.compared) == (2, 2, 0)


def test_rows_without_a_value_and_odd_names_are_matched() -> None:
    name = "it's a /~ column"
    with pairs.opened() as made:
        for side in (0, 1):
            made.add(side, [[row(1, {name: "x"}, "y"), row(2, {}, "z")]])
        assert made.match([name], [name]).matched == 2
        assert made.answer_counts().changed == 0
