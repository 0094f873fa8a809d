"""The pass over stored answers: what is asked of all answers, windows, order, and settings."""

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.job.signs import NAMES, SignsSpec
from llmbatch.quality.answer_form import AnswerForm
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.signs import finding
from llmbatch.quality.signs.base import Background
from llmbatch.quality.signs.finding import Look
from llmbatch.quality.signs.registry import SIGNS
from llmbatch.store import answer_survey, flags, results
from llmbatch.store.database import Database
from tests.quality.signs import stored

ENGLISH = [
    f"The customer number {number} wrote that the {thing} is {state} and asks what to do now."
    for number, (thing, state) in enumerate(
        (thing, state)
        for thing in ("parcel", "lamp", "chair", "bill", "cable", "phone")
        for state in ("late", "broken", "wrong", "lost", "wet", "missing")
    )
]
BOILERPLATE = "Thank you for your message, it was passed on to the team."
GERMAN = "Der Kunde schreibt, dass seine Lampe kaputt ist, und möchte gern wissen, was er tun soll."
FRENCH = (
    "Le client écrit que sa lampe est cassée et voudrait savoir ce qu'il doit faire maintenant."
)


def rows() -> list[tuple[str, str]]:
    """36 rows with an English answer each, then odd ones."""
    texts = [(f"word{number} other{number}", text) for number, text in enumerate(ENGLISH)]
    return [
        *texts,
        ("lampe kaputt", GERMAN),
        ("lampe cassée", FRENCH),
        ("something", "Yes"),
        ("something else entirely", " ".join(ENGLISH)),
        ("alpha beta", BOILERPLATE),
        ("gamma delta", BOILERPLATE),
        ("epsilon zeta", BOILERPLATE),
    ]


def found(db: Database, **signs: Any) -> set[tuple[str, str]]:
    """The texts of rows and their signs."""
    texts = dict(db.execute("SELECT row, data FROM rows"))
    spec = stored.spec(signs=signs)
    return {(texts[flag.row], flag.name) for flag in finding.found(db, spec)}


WANTED = {
    ("lampe kaputt", "language"),
    ("lampe cassée", "language"),
    ("something", "one_word"),
    ("something", "length"),
    ("something else entirely", "length"),
    ("something else entirely", "repetition"),
    ("alpha beta", "shared"),
    ("gamma delta", "shared"),
    ("epsilon zeta", "shared"),
}


def data(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(f'{{"t":"{text}"}}', name) for text, name in pairs}


def test_neither_order_nor_windows_change_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = rows()
    random.Random(3).shuffle(mixed)
    with stored.job(tmp_path, rows()) as db:
        assert found(db) == data(WANTED)
        monkeypatch.setattr(answer_survey, "_WINDOW", 3)
        monkeypatch.setattr(results, "_WINDOW", 5)
        assert found(db) == data(WANTED)
        stored.fill(db, mixed)
        assert found(db) == data(WANTED)


def test_the_few_records_that_answers_are_compared_with_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def record(data: str) -> Any:
        read.append(data)
        return json.loads(data)

    monkeypatch.setattr(finding, "_record", record)
    with stored.job(tmp_path, [(f"word{number}", BOILERPLATE) for number in range(100)]) as db:
        assert len(found(db)) == 100
    assert 0 < len(read) == len(set(read)) <= 5


def test_settings_choose_the_signs(tmp_path: Path) -> None:
    with stored.job(tmp_path, rows()) as db:
        assert found(db, look=False) == set()
        off = found(db, off=["language", "length", "one_word", "repetition"])
        assert off == data({pair for pair in WANTED if pair[1] == "shared"})
        wished = {text for text, name in found(db, language="de") if name == "language"}
        assert len(wished) > 30
        assert '{"t":"lampe kaputt"}' not in wished


def test_fields_of_json_may_be_copied_from_the_input(tmp_path: Path) -> None:
    text = "The lamp in the hall is broken and the shop does not answer my letters"
    answer = json.dumps({"quote": text})
    with stored.job(tmp_path, [(text, answer), (text, text)]) as db:
        assert found(db) == {(f'{{"t":"{text}"}}', "echo")}
        schema = {"type": "object", "properties": {"quote": {"type": "string"}}}
        spec = stored.spec(answer={"schema": schema})
        assert "echo" not in {flag.name for flag in finding.found(db, spec)}


def test_nothing_is_looked_at_again_unless_it_has_changed(tmp_path: Path) -> None:
    def passes(db: Database) -> list[Any]:
        return db.execute("SELECT settings, attempts FROM flag_passes")

    with stored.job(tmp_path, [("a b", ""), ("c", "fine")]) as db:
        finding.mark(db, stored.spec())
        assert [count.name for count in flags.counts(db)] == ["empty"]
        db.execute("DELETE FROM flags")
        finding.mark(db, stored.spec())
        assert flags.counts(db) == []
        before = passes(db)
        finding.mark(db, stored.spec(signs={"echo_share": 0.7}))
        assert [count.name for count in flags.counts(db)] == ["empty"]
        assert passes(db) != before
        stored.fill(db, [("a", "fine"), ("b", "fine, too"), ("c", "?")])
        finding.mark(db, stored.spec(signs={"echo_share": 0.7}))
        assert [(flag.name, flag.rows) for flag in flags.counts(db)] == [("empty", 1)]
        finding.mark(db, stored.spec(signs={"look": False}))
        assert flags.counts(db) == []


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_survey, "_WINDOW", 20)
    monkeypatch.setattr(results, "_WINDOW", 20)
    settings = stored.spec(signs={"off": ["language"]})

    def peak(db: Database) -> int:
        tracemalloc.start()
        for _ in finding.found(db, settings):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = [(f"one {number} {'x' * 2_000}", BOILERPLATE) for number in range(60)]
    with stored.job(tmp_path, few) as db:
        peak(db)
        least = peak(db)
        many = [(f"{number} {text}", answer) for number in range(5) for text, answer in few]
        stored.fill(db, many)
        assert peak(db) < 1.5 * least


def test_other_tasks_have_no_signs_of_rows(tmp_path: Path) -> None:
    with stored.job(tmp_path, [("a", '{"response": 0.5}')]) as db:
        spec = stored.spec(task="score", score={"query": "{{ t }}", "document": "{{ t }}"})
        assert list(finding.found(db, spec)) == []
        assert list(finding.found(db, stored.spec(answer={"choice": ["a", "b"]}))) == []


def test_all_signs_are_named() -> None:
    assert (*(sign.name for sign in SIGNS), "one_label") == NAMES
    # A name that is a part of another one could not be chosen alone (`'echo' IN flags`).
    assert not [(one, other) for one in NAMES for other in NAMES if one != other and one in other]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(text=st.text() | st.text("aA1.,'- \n<|{}%>"), answer=VALUES, is_json=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_answer_raises_an_error(text: str, answer: Any, is_json: bool) -> None:
    job = Background(settings=SignsSpec(grounded=("all",)), instruction=text, answers=50, median=5)
    kind = "json" if is_json else "text"
    look = Look(SIGNS, job, AnswerForm(kind), frozenset({"t"}))
    data = json.dumps({"t": text})
    row = RowAnswer(row=1, id="1", line=1, state="answered", data=data, response=answer)
    named = [flag.name for flag in look.at(row, ['{"t":', '{"t":"x"}'])]
    assert len(named) == len(set(named))
    assert set(named) <= set(NAMES)
