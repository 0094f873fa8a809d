"""Reasons to stop: moments, shares, and the failures among the last outcomes."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.job import stop_rules
from llmbatch.job.stop_rules import FailureRate, FailureWatch, Tolerance

Zone = Callable[[str], None]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """Moves the machine to another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def local(text: str) -> datetime:
    """A moment as `clock.now().astimezone()` gives it: aware, with the offset of then."""
    return datetime.fromisoformat(text).astimezone(UTC).astimezone()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7200), ("1h30m", 5400), ("45s", 45), ("90m", 5400), ("1.5h", 5400),
        ("1h0m30s", 3630), ("0s", 0), ("0.5s", 0.5), ("87000h", 87000 * 3600),
    ],
)  # fmt: skip
def test_a_duration_counts_from_now(text: str, seconds: float) -> None:
    now = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
    assert stop_rules.next_moment(text, now) - now == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "h", "1m2h", "24:00", "6:0", "06:60", "tomorrow", "-1h", "1w", "1e3s",
     "06:00\n", "99999999999h", "9" * 400 + "s"],
)  # fmt: skip
def test_what_is_no_deadline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a time of day|ten years"):
        stop_rules.check_deadline(text)


@pytest.mark.parametrize(
    ("now", "text", "wanted"),
    [
        ("2026-11-21T22:00+01:00", "06:00", "2026-11-22T06:00+01:00"),
        ("2026-11-21T05:59:59+01:00", "06:00", "2026-11-21T06:00+01:00"),
        ("2026-11-21T06:00+01:00", "6:00", "2026-11-22T06:00+01:00"),
        ("2026-12-31T23:30+01:00", "00:15:30", "2027-01-01T00:15:30+01:00"),
        # The night in which the clock goes from 02:00 to 03:00: 06:00 comes an hour sooner ...
        ("2026-03-28T22:00+01:00", "06:00", "2026-03-29T06:00+02:00"),
        # ... and the one in which it goes from 03:00 back to 02:00: an hour later.
        ("2026-10-24T22:00+02:00", "06:00", "2026-10-25T06:00+01:00"),
        # It shows 02:30 twice: whichever is next.
        ("2026-10-25T02:15+02:00", "02:30", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:45+02:00", "02:30", "2026-10-25T02:30+01:00"),
        ("2026-10-25T02:15+01:00", "02:30", "2026-10-25T02:30+01:00"),
        ("2026-10-25T02:45+01:00", "02:30", "2026-10-26T02:30+01:00"),
        # It never shows 02:30: half an hour after the gap.
        ("2026-03-29T01:00+01:00", "02:30", "2026-03-29T03:30+02:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_that_the_local_clock_shows(
    zone: Zone, now: str, text: str, wanted: str
) -> None:
    zone("Europe/Berlin")
    assert stop_rules.next_moment(text, local(now)) == datetime.fromisoformat(wanted)


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    name=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_a_time_of_day_comes_within_a_day_and_its_change_of_time(
    now: datetime, hour: int, minute: int, name: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        here = now.replace(tzinfo=UTC).astimezone()
        moment = stop_rules.next_moment(f"{hour}:{minute:02}", here)
        assert timedelta(0) < moment - here <= timedelta(hours=25)
        shown = datetime.fromtimestamp(moment.timestamp())
        gap = timedelta(hours=shown.hour - hour, minutes=shown.minute - minute)
        assert timedelta(0) <= gap <= timedelta(hours=1)
    time.tzset()


@pytest.mark.parametrize(
    ("text", "failed", "rows", "covered"),
    [
        ("20", 20, 21, True), ("20", 21, 10**6, False), ("0", 0, 5, True), ("0", 1, 5, False),
        ("2%", 2, 100, True), ("2%", 3, 100, False), ("2.5%", 1, 40, True), ("2.4%", 1, 40, False),
        (" 5 ", 5, 5, True), ("100%", 7, 7, True),
        ("2.3%", 69, 3000, True),  # as floats 68.99999999999999
    ],
)  # fmt: skip
def test_a_tolerance_covers_so_many(text: str, failed: int, rows: int, covered: bool) -> None:
    assert Tolerance.parse(text).covers(failed, rows) is covered


@given(tenths=st.integers(0, 1000), rows=st.integers(0, 10**9))
def test_a_share_is_exact(tenths: int, rows: int) -> None:
    tolerance = Tolerance.parse(f"{tenths // 10}.{tenths % 10}%")
    most = Fraction(tenths, 1000) * rows
    assert tolerance.covers(int(most), rows)
    assert not tolerance.covers(int(most) + 1, rows)


@pytest.mark.parametrize("text", ["", "-1", "101%", "100.1%", "2 % %", "%", "few", "1e3", "nan"])
def test_what_is_no_tolerance_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number of rows"):
        Tolerance.parse(text)


@pytest.mark.parametrize("text", ["", "50", "50%/", "50%/0", "101%", "-1%", "50%/1.5", "half"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="50% or 50%/200"):
        FailureRate.parse(text)


def test_a_rate_counts_a_hundred_outcomes_unless_it_says_how_many() -> None:
    assert FailureRate.parse("50%") == FailureRate(Fraction(1, 2), 100)
    assert FailureRate.parse("2.5%/40") == FailureRate(Fraction(1, 40), 40)


def stopped_after(rate: str, outcomes: str) -> int | None:
    """After how many outcomes (F: failed) a watch asks to stop."""
    watch = FailureWatch(FailureRate.parse(rate))
    for number, outcome in enumerate(outcomes, start=1):
        if watch.count(failed=outcome == "F"):
            return number
    return None


@pytest.mark.parametrize(
    ("rate", "outcomes", "after"),
    [
        ("50%/4", "FFFF", 4),  # not before there are as many as it asks for
        ("50%/4", "FFF", None),
        ("50%/4", "FF..FF..", None),  # a half is not more than a half
        ("50%/4", "....FF.F", 8),
        ("50%/4", "F.F.FF.F", 6),
        ("0%/3", "...F", 4),
        ("0%/3", "F....", None),  # only a failure stops; that one has gone by
        ("100%/3", "FFFFFF", None),
        ("29%/100", "F" * 29 + "." * 71, None),  # as floats 28.999999999999996
        ("29%/100", "F" * 28 + "." * 70 + "FF", 100),
    ],
)
def test_a_watch_asks_to_stop_when_more_of_the_last_outcomes_failed(
    rate: str, outcomes: str, after: int | None
) -> None:
    assert stopped_after(rate, outcomes) == after


def test_the_reason_names_the_failures_and_the_flag() -> None:
    watch = FailureWatch(FailureRate.parse("50%/2"))
    assert watch.count(failed=True) is None
    assert watch.count(failed=True) == "2 of the last 2 outcomes failed (--fail-fast)"
