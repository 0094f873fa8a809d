"""A profile says what columns hold, by counts that can be added up."""

import random
from typing import Any

import orjson
import pytest
from py3langid import langid

from llmbatch.core.records import Record
from llmbatch.quality.drift import taking
from llmbatch.quality.drift.profile import ColumnProfile, Profile, added
from llmbatch.store import input_profiles, snapshots
from llmbatch.store.database import Database
from llmbatch.store.input_profiles import RowFigures
from llmbatch.store.snapshots import Row, Snapshot, Source
from tests.quality.drift.conftest import Nights
from tests.quality.drift.nights import COLUMNS, night, profile_of


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (ColumnProfile(rows=9, nulls=5, blanks=4), "empty"),
        (ColumnProfile(rows=100, kinds=3), "category"),
        (ColumnProfile(rows=100, kinds=100), "id"),
        (ColumnProfile(rows=100, kinds=100, numbers=100), "id"),
        (ColumnProfile(rows=100, kinds=100, numbers=100, values={"1.5": 1}), "number"),
        (ColumnProfile(rows=100, kinds=60, numbers=100), "number"),
        (ColumnProfile(rows=100, kinds=7, numbers=100), "category"),
        (ColumnProfile(rows=100, kinds=100, spaced=90), "text"),
        (ColumnProfile(rows=100, kinds=70), "text"),
        (ColumnProfile(rows=100, kinds=1, dates=99), "date"),
    ],
)
def test_a_column_has_a_kind(column: ColumnProfile, kind: str) -> None:
    assert column.kind == kind


def test_profiles_are_added_up() -> None:
    one = ColumnProfile(rows=5, nulls=1, kinds=3, values={"a": 2, "b": 1})
    other = ColumnProfile(rows=7, kinds=2, values={"a": 3})
    assert added([one, other]) == ColumnProfile(rows=12, nulls=1, kinds=3, values={"a": 5, "b": 1})


def test_a_profile_is_small_and_comes_back_from_its_stored_form(unchanged: Nights) -> None:
    profile = unchanged(400)[0].profile
    stored = orjson.dumps(profile.to_json())
    assert len(stored) < 12_000
    assert Profile.from_json(orjson.loads(stored)) == profile


def test_a_night_is_profiled_column_by_column(unchanged: Nights) -> None:
    profile = unchanged(400)[0].profile
    assert profile.rows == 400
    assert profile.names == tuple(COLUMNS)
    kinds = {name: column.kind for name, column in profile.columns.items()}
    assert kinds == {
        "team": "category",
        "opened": "date",
        "amount": "number",
        "text": "text",
        "note": "category",
    }
    team, text = profile.columns["team"], profile.columns["text"]
    assert sum(team.values.values()) == team.rows == 400
    assert profile.columns["note"].nulls == 400 - profile.columns["note"].present
    assert text.languages.get("en", 0) > 0.9 * sum(text.languages.values())
    assert text.words["order"] == text.word_rows == 400
    assert (text.repeat_rows, text.repeated) == (400, 0)


def test_of_few_rows_only_their_number_is_kept(db: Database) -> None:
    profile = profile_of(db, night(random.Random(0), 49), "few")
    assert profile == Profile(49, tuple(COLUMNS))


def test_odd_names_and_values_are_profiled(db: Database) -> None:
    odd = {"a/b~c": "x", 'q"uote': " ", "list": [1, 2], "nested": {"a": None}, "none": None}
    rows: list[dict[str, Any]] = [
        {"id": str(n), **odd, "n": 1e300 if n else -1e300, "big": "ü" * 5000} for n in range(60)
    ]
    items = [Row(n, r["id"], Record(n, orjson.dumps(r).decode())) for n, r in enumerate(rows, 1)]
    source = Source("in.jsonl", "jsonl", "odd", "id", list(rows[0]))
    snapshot = snapshots.replace(db, items, lambda: source)
    columns = taking.profile_of(db, snapshot, "").columns
    assert columns["a/b~c"].values == {"x": 60}
    assert columns['q"uote'].blanks == 60
    assert columns["list"].values == {"[1,2]": 60}
    assert columns["none"].nulls == 60
    assert columns["n"].numbers == 60
    assert columns["big"].characters == 60 * 5000


def test_columns_are_profiled_in_parts_as_all_at_once(
    db: Database, unchanged: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = unchanged(400)[0].profile
    monkeypatch.setattr(input_profiles, "_HELD_BYTES", 30_000)  # two columns
    monkeypatch.setattr(input_profiles, "_ALL_BYTES", 10_000)
    monkeypatch.setattr(input_profiles, "_FEW_BYTES", 20_000)
    monkeypatch.setattr(taking, "_COUNTED_VALUES", 500)
    with RowFigures(db, COLUMNS, 1) as figures:
        assert len(figures.parts()) > 2
    assert profile_of(db, night(random.Random(400), 400, 0), "in parts") == at_once


def test_nothing_of_a_profile_is_held_until_the_end_of_a_transaction(db: Database) -> None:
    rows = [{"id": str(n), "a": "x" * 500 + str(n), "b": "y" * 500 + str(n)} for n in range(9000)]
    items = [Row(n, r["id"], Record(n, orjson.dumps(r).decode())) for n, r in enumerate(rows, 1)]
    held: list[int] = []

    def look(db: Database, snapshot: Snapshot) -> None:
        before = _in_memory(db)
        with RowFigures(db, ["a", "b"], 1) as figures:
            for places in ([0], [1], [0]):
                figures.hold(places)
                held.append(_in_memory(db) - before)
            figures.let_go()
            held.append(_in_memory(db) - before)

    snapshots.replace(
        db, items, lambda: Source("in", "jsonl", "wide", "id", ["a", "b"]), check=look
    )
    one, other, again, none = held
    assert one > 4_000_000
    assert max(other, again) < 1.2 * one
    assert none < 0.2 * one


def _in_memory(db: Database) -> int:
    sql = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
    return int(db.scalar(sql))


def test_the_model_of_languages_is_never_in_this_process(unchanged: Nights) -> None:
    columns = unchanged(400)[0].profile.columns
    assert any(column.languages for column in columns.values())
    assert langid.IDENTIFIER is None
