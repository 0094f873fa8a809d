"""Figures of JSON answers, field by field."""

import json
from typing import Any

import pytest

from llmbatch.core import exact_json
from llmbatch.quality import estimates, normal_forms, record_figures
from llmbatch.quality.figures import GoldRow, sample_of
from llmbatch.quality.record_figures import GoldRecord
from tests.quality.gold import NO, measured, rows_of, value_of


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are the same with any number of draws."""
    monkeypatch.setattr(estimates.of_sums, "__defaults__", (20, 1))


def of_json(text: str) -> Any:
    return exact_json.parse_record(f'{{"":{text}}}')[""]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"New  York"', '" new york"'),
        ("1234.5", '"1,234.50"'),
        ("3", "3.0"),
        ('"2026-11-28"', '"28 November 2026"'),
        ('"2026/11/28"', '"Nov 28, 2026"'),
        ('"28.11.2026"', '"28/11/2026"'),
        ("null", '""'),
        ("true", '"True"'),
        ('{"a":1,"b":null}', '{"a":"1"}'),
        ('"ﬁx"', '"FIX"'),
        ("-0", "0"),
        ('"2026-11-28T10:00:00Z"', '"2026-11-28 10:00:00+00:00"'),
    ],
)
def test_values_are_alike(one: str, other: str) -> None:
    assert normal_forms.of_value(of_json(one)) == normal_forms.of_value(of_json(other))
    assert not record_figures.is_exact(of_json(one), of_json(other)) or one in ("3", "-0")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"007"', "7"),
        ('"03/04/2026"', '"2026-04-03"'),
        ("1", "true"),
        ("[1,2]", "[2,1]"),
        ('"1,23"', "123"),
        ('"31.02.2026"', '"2026-03-03"'),
        ("1e999999999", "1e999999998"),
        ("0", "null"),
        ('"no"', "false"),
    ],
)
def test_values_are_different(one: str, other: str) -> None:
    assert normal_forms.of_value(of_json(one)) != normal_forms.of_value(of_json(other))


def judged() -> list[GoldRow]:
    gold: list[dict[str, Any]] = [
        {"id": "7", "total": "1,200", "note": None},
        {"id": "8", "total": "5", "note": "late"},
        {"id": "9", "total": "6", "note": None},
        {"id": "10", "total": "1", "note": None},
    ]
    answers: list[Any] = [
        {"id": 7, "total": 1200, "note": None},
        {"id": "8", "total": "5"},
        {"id": "9", "total": "7", "note": "made up"},
        NO,
    ]
    return rows_of([GoldRecord(each, is_whole=False) for each in gold], answers)


def test_fields_are_counted_by_hand() -> None:
    rows = judged()
    found = measured(record_figures, rows)
    assert value_of(found["record_exact"]) == 0.0
    assert value_of(found["record_normalised"]) == 0.25
    assert value_of(found["record_normalised_answered"]) == pytest.approx(1 / 3)
    assert value_of(found["micro_exact"]) == pytest.approx((3 + 1 + 1) / 12)
    assert value_of(found["macro_normalised"]) == pytest.approx((3 / 4 + 2 / 4 + 1 / 4) / 3)
    by_field = {each.field: each for each in record_figures.of_fields(rows, sample_of(rows))}
    assert by_field["id"].exact.value == 0.75, "7 and '7' are one cell of a table"
    assert (by_field["note"].missing, by_field["note"].extra) == (1, 1)
    assert by_field["total"].normalised.value == 0.5


def test_a_whole_record_has_no_other_fields() -> None:
    gold = GoldRecord({"a": 1}, is_whole=True)
    rows = rows_of([gold] * 3, [{"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": 2}])
    found = measured(record_figures, rows)
    assert value_of(found["record_exact"]) == pytest.approx(1 / 3)
    assert value_of(found["record_normalised"]) == pytest.approx(2 / 3)
    assert [each.field for each in record_figures.of_fields(rows, sample_of(rows))] == ["a", "b"]
    assert record_figures.of_fields(rows, sample_of(rows))[1].extra == 1


def test_numbers_of_json_are_exact_however_they_are_written() -> None:
    assert record_figures.is_exact(of_json("1.10"), of_json("1.1"))
    assert not record_figures.is_exact(json.loads("1"), json.loads("true"))
