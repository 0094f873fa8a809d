"""Changes of an input are told by name, and nothing is of nights that are drawn alike."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from llmbatch.quality.drift import comparison
from llmbatch.quality.drift.comparison import Change, Drift, Former
from llmbatch.quality.drift.profile import ColumnProfile, Profile
from llmbatch.store.database import Database
from tests.quality.drift.conftest import Nights
from tests.quality.drift.nights import CHANGES, night, profile_of

# What else a change of the texts brings with it.
_BESIDE = {
    "a language": {"length", "new words", "repeated"},
    "duplicated rows": set[str](),
}
_TOLD = {
    "a new category": "new value: 'returns' (",
    "a language": "de 0 % -> ",
    "doubled lengths": "longer: median about ",
    "nulls": "0 % -> ",
    "duplicated rows": " of its values are those of other rows",
    "other numbers": "other numbers: median about ",
    "no numbers": " of its values are no numbers",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_by_its_name(db: Database, unchanged: Nights, name: str) -> None:
    change, column, measure = CHANGES[name]
    rng = random.Random(name)
    rows = change(night(rng, 400, 5), rng, 1.0 if column == "amount" else 0.4)
    drift = comparison.compare(profile_of(db, rows, name), unchanged(400))
    assert {each.column for each in drift.changes} == {column}
    found = {each.measure: each for each in drift.changes}
    assert measure in found
    assert found.keys() - {measure} <= _BESIDE.get(name, set())
    assert _TOLD[name] in found[measure].text
    assert found[measure].size > 0
    assert drift.inputs == 5
    assert drift.since == "2026-11-01T00:00:00+00:00"


@pytest.mark.parametrize("rows", [50, 200])
def test_nothing_is_told_of_unchanged_nights(db: Database, unchanged: Nights, rows: int) -> None:
    seen = list(unchanged(rows))
    rng = random.Random(rows + 1)
    for number in range(5, 20):
        profile = profile_of(db, night(rng, rows, number), f"{rows}-{number}")
        assert comparison.compare(profile, seen).changes == ()
        seen = [*seen[-13:], Former(datetime(2026, 11, number + 1, tzinfo=UTC), profile)]


def test_each_night_but_the_first_has_something_to_be_compared_with(unchanged: Nights) -> None:
    nights = unchanged(400)
    assert comparison.compare(nights[0].profile, []) == Drift()
    for place in (1, 2, 3, 4):
        assert comparison.compare(nights[place].profile, nights[:place]).changes == ()


def test_a_change_that_one_night_had_is_no_news_in_another(db: Database, unchanged: Nights) -> None:
    rng = random.Random(3)
    change, _, _ = CHANGES["other numbers"]
    odd = [profile_of(db, change(night(rng, 400, 5), rng, 1), f"odd-{n}") for n in range(2)]
    seen = unchanged(400)
    assert comparison.compare(odd[0], seen).level is not None
    again = [*seen, Former(datetime(2026, 11, 6, tzinfo=UTC), odd[0])]
    assert comparison.compare(odd[1], again).changes == ()


def _of(rows: int, *names: str) -> Profile:
    return Profile(rows, names)


def _former(*profiles: Profile) -> list[Former]:
    return [Former(datetime(2026, 11, 1, tzinfo=UTC), profile) for profile in profiles]


@pytest.mark.parametrize(
    ("rows", "before", "level"),
    [
        (100, (100, 110, 90), None),
        (190, (100, 110, 90), None),
        (210, (100, 110, 90), "moderate"),
        (10, (100, 110, 90), "large"),
        (600, (100,), "large"),
        (210, (100, 200, 100), None),  # one of them had nearly as many
        (40, (8, 8, 8), None),  # of few rows nothing is said
    ],
)
def test_the_number_of_rows_is_compared(
    rows: int, before: tuple[int, ...], level: str | None
) -> None:
    drift = comparison.compare(_of(rows), _former(*map(_of, before)))
    assert [each.measure for each in drift.changes] == ["rows"] * (level is not None)
    assert drift.level == level


def test_columns_that_come_and_go_are_told() -> None:
    drift = comparison.compare(_of(5, "a", "b"), _former(_of(5, "b", "c")))
    assert comparison.lines(drift) == [
        "column 'c': the column is gone (large)",
        "column 'a': a new column (moderate)",
    ]


def test_a_line_says_where_what_how_large_and_how_unusual() -> None:
    change = Change("text", "length", "large", 1.234, 0.021, "longer")
    drift = Drift(
        7, None, (change, replace(change, usual=None, measure="missing", level="moderate"))
    )
    assert comparison.lines(drift) == [
        "column 'text': longer (PSI 1.23, large, at most 0.02 among the 7 inputs before)",
        "column 'text': longer (moderate, against 7 inputs before)",
    ]
    assert Drift.from_json(drift.to_json()) == drift


def test_what_another_version_wrote_is_read_as_far_as_it_goes() -> None:
    stored = {"inputs": 2, "changes": [{"column": "a"}, None, 7], "level": "odd"}
    assert Drift.from_json(stored) == Drift(2)
    column = {"rows": 9, "nulls": "many", "values": [], "odd": 1}
    assert ColumnProfile.from_json(column) == ColumnProfile(rows=9)
    assert Profile.from_json({"columns": {"a": column, "b": 3}}).columns == {
        "a": ColumnProfile(rows=9)
    }
