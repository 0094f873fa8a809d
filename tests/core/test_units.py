"""Amounts in words."""

import pytest

from llmbatch.core import units


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.25, "250 ms"),
        (59.94, "59.9 s"),
        (121.0, "2 min 01 s"),
        (7_300.0, "2 h 01 min"),
        (400_000.0, "111 h 06 min"),
    ],
)
def test_seconds(amount: float, text: str) -> None:
    assert units.seconds(amount) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.3149, "31 %"),
        (0.05, "5.0 %"),
        (4e-4, "0.04 %"),
        (1e-9, "< 0.001 %"),
    ],
)
def test_share(part: float, text: str) -> None:
    assert units.share(part) == text


def test_money_has_the_digits_of_its_total() -> None:
    assert units.money(0.5, "USD") == "USD 0.5000"
    assert units.money(0.5, "USD", 1_000.0) == "USD 0.50"
    assert units.money(1_234.5, "EUR") == "EUR 1,234.50"
    assert units.digits(0.00001234, 0.005) == "0.000012"


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "-"), (0.0, "0"), (1.234, "1.23"), (45.67, "45.7"), (12_345.6, "12,346")],
)
def test_rate(amount: float | None, text: str) -> None:
    assert units.rate(amount) == text


def test_counts_and_sizes() -> None:
    assert units.number(12_345.0) == "12,345"
    assert units.number(2.25) == "2.2"
    assert units.count(1, "row") == "1 row"
    assert units.count(2_000, "row") == "2,000 rows"
    assert units.size(10) == "10 bytes"
    assert units.size(5 * 1024**3) == "5.0 GiB"


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (1234.5, "1,234.50"),
        (0.1, "0.10"),
        (0.0123, "0.0123"),
        (0.00012, "0.000120"),
        (0, "0.000000"),
    ],
)
def test_small_amounts_have_more_digits(money: float, text: str) -> None:
    assert units.rough_money(money) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3599.7, "1 h 0 min"),
        (7260, "2 h 1 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_durations_are_told_in_their_larger_units(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


def test_energy_is_in_kilowatt_hours() -> None:
    assert units.energy(9_000_000) == "2.5 kWh"
    assert units.energy(5e6) == "1.389 kWh"
