"""A span of time has the same forms everywhere."""

import pytest

from llmbatch.core import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("0", 0),
        ("2.5", 2.5),
        ("20s", 20),
        ("5m", 300),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1H 30M", 5400),
        ("1.5h", 5400),
        ("1d", 86_400),
        ("1d2h3m4s", 93_784),
    ],
)
def test_a_span_of_time_is_read(text: str, seconds: float) -> None:
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "s", "2x", "30m1h", "-1s", "1e9", "nan", "06:00", "h1"])
def test_what_is_none_is_not_guessed(text: str) -> None:
    assert duration.seconds(text) is None
