"""The answers in a report: examples, shares, distributions, and nothing that a terminal obeys."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmbatch.reports import answer_words, renderers
from llmbatch.reports.answers import AnswerFigures
from llmbatch.store import answers
from llmbatch.store.answers import AnswerExample, ValueCount
from tests.reports import answered

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["good", "bad", "unclear"]},
        "score": {"type": "number"},
        "sure": {"type": "boolean"},
        "why": {"type": "string"},
        "parts": {"type": "array"},
        "a/b~c": {"type": "integer"},
    },
    "required": ["kind"],
}


def figures(folder: Path, rows: Mapping[str, str | None], **settings: object) -> AnswerFigures:
    with answered.store(folder) as db:
        answered.run(db, rows, settings)
        found = answered.reported(db).answers
    assert found is not None
    return found


def test_labels_are_counted_by_rows_and_those_without_any_are_named(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {"a": "yes", "b": "no", "c": "yes", "d": "yes", "e": None}
    found = figures(tmp_path, rows, answer={"choice": ["yes", "no", "maybe"]})
    (labels,) = found.distributions
    assert (labels.member, labels.kind, labels.rows, labels.other_rows) == (None, "labels", 4, 0)
    wanted = [ValueCount("yes", 3), ValueCount("no", 1), ValueCount("maybe", 0)]
    assert labels.values == wanted
    assert answer_words.distribution(labels) == "yes 3 (75 %), no 1 (25 %), maybe 0"
    assert (found.rows, found.distinct, found.most_common) == (4, 2, ValueCount("yes", 3))


def test_members_of_objects_are_labels_or_numbers(tmp_path: Path) -> None:
    texts = [
        '{"kind": "good", "score": 1, "sure": true, "why": "a1", "a/b~c": 7}',
        '{"kind": "good", "score": 2.5, "sure": false, "why": "a2"}',
        '{"kind": "bad", "score": 4, "sure": true, "why": "a3"}',
        '{"kind": "bad", "score": null, "why": "a4", "parts": [1]}',
    ]
    rows: dict[str, str | None] = {f"r{place}": text for place, text in enumerate(texts)}
    # The last answer is that of three rows.
    rows |= {"r4": texts[2], "r5": texts[2]}
    found = figures(tmp_path, rows, answer={"schema": SCHEMA})
    by_name = {each.member: each for each in found.distributions}
    assert by_name.keys() == {"kind", "score", "sure", "a/b~c"}
    told = {name: answer_words.distribution(each) for name, each in by_name.items()}
    assert told["kind"] == "kind: bad 4 (67 %), good 2 (33 %), unclear 0"
    assert told["sure"] == "sure: true 4 (80 %), false 1 (20 %); 1 row without one"
    score = "score: least 1, median 4, mean 3.1, most 4; 1 row without one"
    assert told["score"] == score
    assert told["a/b~c"] == "a/b~c: least 7, median 7, mean 7, most 7; 5 rows without one"


def test_free_text_has_examples_and_shares(tmp_path: Path) -> None:
    texts = ["one", "the same", "  \n", "a long answer"]
    rows: dict[str, str | None] = {f"r{place}": text for place, text in enumerate(texts)}
    rows |= {"r4": "the same", "r5": "five"}
    found = figures(tmp_path, rows)
    assert found.distributions == []
    assert [each.id for each in found.examples] == ["r0", "r2", "r5"]
    assert found.examples[0] == AnswerExample("r0", 1, "one")
    assert (found.empty_rows, found.longest.characters, found.longest.id) == (1, 13, "r3")
    assert answer_words.shares(found) == (
        "5 different answers; 33 % are the same; 1 empty; "
        "the longest has 13 characters (row r3 (line 4))"
    )


def test_a_few_texts_are_labels_without_any_constraint(tmp_path: Path) -> None:
    rows: dict[str, str | None] = {f"r{place}": "ab"[place % 2] for place in range(4)}
    (labels,) = figures(tmp_path, rows).distributions
    assert [(each.value, each.rows) for each in labels.values] == [("a", 2), ("b", 2)]


def test_without_answers_there_are_no_figures(tmp_path: Path) -> None:
    with answered.store(tmp_path) as db:
        answered.run(db, {"a": "FAIL", "b": None}, ended=4)
        report = answered.reported(db)
    assert report.answers is None
    for style in renderers.STYLES:
        assert renderers.render(report, style)


def test_of_very_many_answers_every_so_manieth_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_REQUESTS", 4)
    rows: dict[str, str | None] = {f"r{place}": f"answer {place}" for place in range(10)}
    found = figures(tmp_path, rows)
    assert (found.is_sample, found.rows, found.distinct) == (True, 4, 4)
    assert "4 different answers of 4 rows looked at" in answer_words.shares(found)
    assert [each.id for each in found.examples] == ["r0", "r4", "r9"]


HOSTILE = 'x\x1b[2J\x9b31m\u202e</td><script>alert(1)</script>|`a`<img src=x>\r\n# h "q" \x00'


@pytest.mark.parametrize("style", renderers.STYLES)
@pytest.mark.parametrize("settings", [{}, {"answer": {"choice": [HOSTILE, "y"]}}])
def test_hostile_answers_and_ids_are_only_shown(
    tmp_path: Path, style: str, settings: dict[str, object]
) -> None:
    answer = HOSTILE.replace("\x00", "")
    with answered.store(tmp_path) as db:
        answered.run(db, {f"{answer} id": answer, "b": answer}, settings)
        report = answered.reported(db)
    shown = renderers.render(report, style)
    if style == "json":
        assert json.loads(shown)["answers"]["most_common"]["value"] == answer
        return
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)
    if style == "markdown":
        assert "<script" not in shown
        assert "`a`" not in shown
        assert "\n# h" not in shown
    if style == "html":
        assert "<script" not in shown
        assert "<img src=x" not in shown
