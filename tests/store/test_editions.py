"""The rows that a run published are compared with what is there now, row by row."""

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from llmbatch.store import editions
from llmbatch.store.database import Database
from llmbatch.store.editions import FieldValue, RowChanges
from tests.reports import answered


class Night(NamedTuple):
    """The rows of a run: their answers, and the column `g` that the prompt uses, by name."""

    answers: dict[str, str | None]
    inputs: dict[str, str]


def publish(db: Database, night: Night, id_column: str | None, *, keep: bool) -> RowChanges | None:
    beside = {name: {"g": text} for name, text in night.inputs.items()}
    run = answered.run(db, night.answers, beside=beside, id_column=id_column)
    editions.take(db, ["g"], "text")
    before = editions.kept(db)
    found = editions.compare(db, before[0], ["g"]) if before else None
    if keep:
        editions.keep(db, run, ["g"], [], None)
    return found


def night(rng: random.Random) -> Night:
    names = [str(number) for number in range(40) if rng.random() < 0.8]
    rng.shuffle(names)
    answers = ["x", "y", "z", "FAIL", "TEMPLATE"]
    weights = [5, 4, 3, 2, 1]
    return Night(
        {name: rng.choices(answers, weights)[0] for name in names},
        {name: rng.choice("abcdefgh") for name in names},
    )


def state(answer: str | None) -> str:
    return "failed" if answer in ("FAIL", "TEMPLATE") else "answered"


def by_id(former: Night, latter: Night) -> RowChanges:
    both = former.answers.keys() & latter.answers.keys()
    same = [name for name in both if former.inputs[name] == latter.inputs[name]]
    states = Counter((state(former.answers[n]), state(latter.answers[n])) for n in same)
    changed = [
        name
        for name in same
        if former.answers[name] != latter.answers[name]
        and (state(former.answers[name]), state(latter.answers[name])) == ("answered", "answered")
    ]
    return RowChanges(
        len(latter.answers.keys() - both),
        len(former.answers.keys() - both),
        len(both) - len(same),
        len(same),
        states["answered", "answered"],
        len(changed),
        states["answered", "failed"],
        states["failed", "answered"],
    )


def by_content(former: Night, latter: Night) -> RowChanges:
    """Rows of one input: equal outcomes first, then one answered with another, then the rest."""
    groups: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, each in enumerate((former, latter)):
        for name, text in each.inputs.items():
            groups[text][side].append(str(each.answers[name]))
    new = gone = compared = changed = failed = mended = same = 0
    for olds, news in groups.values():
        new, gone = new + max(0, len(news) - len(olds)), gone + max(0, len(olds) - len(news))
        same += min(len(olds), len(news))
        old, now = (
            Counter(side if state(side) == "answered" else "FAIL" for side in each)
            for each in (olds, news)
        )
        equal = old & now
        old, now = old - equal, now - equal
        both = min(old.total() - old["FAIL"], now.total() - now["FAIL"])
        compared += equal.total() - equal["FAIL"] + both
        changed += both
        failed += min(old.total() - old["FAIL"] - both, now["FAIL"])
        mended += min(now.total() - now["FAIL"] - both, old["FAIL"])
    return RowChanges(new, gone, 0, same, compared, changed, failed, mended)


@pytest.mark.parametrize("id_column", ["t", None])
def test_changes_equal_those_that_are_counted_one_by_one(
    tmp_path: Path, id_column: str | None
) -> None:
    rng = random.Random(5)
    with answered.store(tmp_path) as db:
        former = night(rng)
        assert publish(db, former, id_column, keep=True) is None
        for _ in range(4):
            latter = night(rng)
            expected = (by_id if id_column else by_content)(former, latter)
            assert publish(db, latter, id_column, keep=False) == expected


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    former = night(random.Random(7))
    turned = Night(dict(reversed(former.answers.items())), former.inputs)
    with answered.store(tmp_path) as db:
        publish(db, former, None, keep=True)
        found = publish(db, turned, None, keep=False)
    assert found is not None
    assert (found.same_input_rows, found.changed_answers) == (len(turned.answers), 0)
    assert (found.new_rows, found.gone_rows, found.newly_failed, found.newly_answered) == (0,) * 4


def test_other_columns_than_the_prompts_are_no_other_input(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"1": "x"}, beside={"1": {"g": "a", "at": "today"}}, id_column="t")
        editions.take(db, ["g"], "text")
        editions.keep(db, 1, ["g"], [], None)
        (before,) = editions.kept(db)
        answered.run(db, {"1": "x"}, beside={"1": {"g": "a", "at": "now"}}, id_column="t")
        editions.take(db, ["g"], "text")
        assert editions.compare(db, before, ["g"]).changed_input_rows == 0
        # A prompt that uses others cannot tell, so all columns count.
        editions.take(db, ["at", "g"], "text")
        assert editions.compare(db, before, ["at", "g"]).changed_input_rows == 1


def test_long_texts_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    text = "x" * 50_000
    with answered.store(tmp_path) as db:
        answered.run(db, {"1": "x"}, beside={"1": {"g": text + "a"}}, id_column="t")
        editions.take(db, ["t", "g"], "text")
        editions.keep(db, 1, ["t", "g"], [], None)
        (before,) = editions.kept(db)
        for end, changed in (("a", 0), ("b", 1)):
            answered.run(db, {"1": "x"}, beside={"1": {"g": text + end}}, id_column="t")
            editions.take(db, ["t", "g"], "text")
            assert editions.compare(db, before, ["t", "g"]).changed_input_rows == changed


@pytest.mark.parametrize(
    ("kind", "other", "differs"),
    [
        ("label", '{"response": "a", "confidence": 0.2}', False),
        ("label", '{"response": "b", "confidence": 0.9}', True),
        ("score", '{"response": 0.30000000001}', False),
        ("score", '{"response": 0.31}', True),
        ("json", '{"response":0.3}', False),
        ("json", '{"response": 0.4}', True),
        ("text", '{"response":0.3}', True),
    ],
)
def test_what_counts_of_an_answer(
    tmp_path: Path, kind: editions.AnswerKind, other: str, differs: bool
) -> None:
    first = '{"response": "a", "confidence": 0.9}' if kind == "label" else '{"response": 0.3}'
    with answered.store(tmp_path) as db:
        answered.run(db, {"1": first})
        editions.take(db, ["t"], kind)
        editions.keep(db, 1, ["t"], [], None)
        (before,) = editions.kept(db)
        answered.run(db, {"1": other})
        editions.take(db, ["t"], kind)
        assert editions.compare(db, before, ["t"]).changed_answers == differs


def test_two_editions_are_kept_with_their_values(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        for number in (1, 2, 3):
            run = answered.run(db, {"1": f"x{number}"})
            editions.take(db, ["t"], "text")
            values = [FieldValue(None, f"x{number}", 1), FieldValue("a", "b", number)]
            editions.keep(db, run, ["t"], values, f"[{number}]")
        assert [each.run for each in editions.kept(db)] == [3, 2]
        assert editions.values(db, editions.kept(db)[1])[0] == FieldValue("a", "b", 2)
        assert editions.size(db, editions.kept(db)[0]) == (1, 1)
        assert (editions.changes_of(db, 3), editions.changes_of(db, 2)) == ("[3]", None)
        assert editions.kept(db)[0].stamp == editions.stamp(db)
        answered.run(db, {"1": "x4"})
        assert editions.kept(db)[0].stamp != editions.stamp(db)
