"""Money is divided without a digit too few or too many."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.money import allocate, quantum, rounded

AMOUNTS = st.floats(0, 1e12) | st.floats(0, 1e-9) | st.sampled_from([0.0, 5e-324, 9.99999, 1e300])
WEIGHTS = st.lists(
    st.just(0.0) | st.floats(0, 1e15) | st.floats(0, 1e-12) | st.sampled_from([5e-324, 1e308]),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (1234.5678, "1234.57"),
        (10.0, "10.00"),
        (9.99999, "10.0000"),
        (1.5, "1.5000"),
        (0.1, "0.1000"),
        (0.0056318, "0.005632"),
        (0.00000012345, "1.234E-7"),
        (0.0, "0.0000"),
        (-12.345, "-12.34"),
    ],
)
def test_how_many_digits_are_told(amount: float, shown: str) -> None:
    assert str(rounded(amount)) == shown


@given(amount=AMOUNTS, weights=WEIGHTS)
@example(amount=0.01, weights=[1.0, 1.0, 1.0])
@example(amount=1e300, weights=[5e-324, 1e308])
def test_the_parts_add_up_and_are_near_their_shares(amount: float, weights: list[float]) -> None:
    total = rounded(amount)
    unit = quantum(total)
    parts = allocate(total, weights)
    assert sum(map(Fraction, parts)) == Fraction(total)
    exact = [Fraction(Decimal(repr(each))) for each in weights]
    among = sum(exact)
    for part, weight in zip(parts, exact, strict=True):
        assert (Fraction(part) / Fraction(unit)).denominator == 1
        if among:
            assert abs(Fraction(part) - Fraction(total) * weight / among) < Fraction(unit)
        assert part == 0 or weight > 0 or not among


@given(weights=WEIGHTS)
def test_more_weight_never_gets_less(weights: list[float]) -> None:
    parts = allocate(Decimal("12.34"), weights)
    for weight, part in zip(weights, parts, strict=True):
        for other, less in zip(weights, parts, strict=True):
            assert weight <= other or part >= less


def test_no_weight_is_divided_evenly() -> None:
    parts = allocate(Decimal("10.00"), [0.0, 0.0, 0.0])
    assert parts == [Decimal("3.34"), Decimal("3.33"), Decimal("3.33")]


def test_a_debt_is_divided_like_money() -> None:
    assert allocate(Decimal("-10.00"), [1.0, 2.0]) == [Decimal("-3.33"), Decimal("-6.67")]


def test_another_unit() -> None:
    assert allocate(Decimal("5"), [1.0, 1.0], Decimal(1)) == [Decimal(3), Decimal(2)]


def test_without_parts_only_nothing_can_be_divided() -> None:
    assert allocate(Decimal("0.0000"), []) == []
    with pytest.raises(ValueError, match="there is no part to give"):
        allocate(Decimal("0.0100"), [])


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number"):
        allocate(Decimal("10.001"), [1.0])
    with pytest.raises(ValueError, match="below zero"):
        allocate(Decimal("10.00"), [1.0, -1.0])
