"""Reasons to stop before the work is done, decided before anything more is spent."""

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from llmbatch.core import duration, units

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*%(?:\s*/\s*(\d+))?")
_RATE_ROWS = 100
_MOST_RATE_ROWS = 1_000_000_000
_LONGEST_SECONDS = 10 * 366 * 24 * 3600


def next_moment(text: str, now: datetime) -> datetime:
    """The moment that `06:00` (the next time that the local clock shows it) or `1h30m` means.

    `now` is aware and local. Raises ValueError when it is neither.
    """
    span = check_deadline(text)
    if span is not None:
        return now + span
    parts = [int(part) for part in text.split(":")]
    wall = now.replace(tzinfo=None).replace(
        hour=parts[0], minute=parts[1], second=parts[2] if parts[2:] else 0, microsecond=0
    )
    days = (wall, wall + timedelta(days=1))
    # Each with the offset of its day, which a change to summer time may make another one. A clock
    # that is set back shows the same time twice; one that is set forward may leave it out.
    moments = ((day, day.replace(fold=fold).astimezone()) for day in days for fold in (0, 1))
    return next(then for day, then in moments if then > now and then.replace(tzinfo=None) >= day)


def check_deadline(text: str) -> timedelta | None:
    """The duration that `text` is, or None for a time of day. Raises ValueError."""
    if _CLOCK.fullmatch(text):
        return None
    seconds = duration.seconds(text)
    if seconds is None:
        raise ValueError(f"write a time of day (06:00) or a span of time ({duration.FORMS})")
    if seconds > _LONGEST_SECONDS:
        raise ValueError("is more than ten years away")
    return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The failed and rejected rows that a run may have and still count as a success."""

    amount: Fraction
    is_percent: bool

    @classmethod
    def parse(cls, text: str) -> "Tolerance":
        """From `20` (rows) or `2.5%` (of all rows). Raises ValueError."""
        match = _SHARE.fullmatch(text.strip())
        if not match or (match[2] and Fraction(match[1]) > 100):
            raise ValueError("write a number of rows (20) or a share of them (2%)")
        return cls(Fraction(match[1]), bool(match[2]))

    def covers(self, failed: int, rows: int) -> bool:
        """True if `failed` of `rows` is within it."""
        return failed <= (self.amount * rows / 100 if self.is_percent else self.amount)


def share(text: str) -> Fraction:
    """The share, 0 to 1, that `20%` is. Raises ValueError."""
    match = _SHARE.fullmatch(text.strip())
    if not match or not match[2] or Fraction(match[1]) > 100:
        raise ValueError("write a share of the rows: 20%")
    return Fraction(match[1]) / 100


@dataclass(frozen=True, slots=True)
class FailureRate:
    """The share of failures, 0 to 1, that the last `rows` outcomes may not pass."""

    limit: Fraction
    rows: int

    @classmethod
    def parse(cls, text: str) -> "FailureRate":
        """From `50%` or `50%/200` (of the last 200; default 100). Raises ValueError."""
        match = _RATE.fullmatch(text.strip())
        rows = int(match[2] or _RATE_ROWS) if match else 0
        if not match or Fraction(match[1]) > 100 or not 1 <= rows <= _MOST_RATE_ROWS:
            raise ValueError("write a share and of how many outcomes: 50% or 50%/200")
        return cls(Fraction(match[1]) / 100, rows)


def fail_fast_rate(text: str) -> FailureRate | None:
    """The rate of `50%` or `50%/200`; None for `off`. Raises ValueError."""
    if text.strip() == "off":
        return None
    try:
        return FailureRate.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}, or off") from error


class FailureWatch:
    """Watches the failures among the last outcomes."""

    def __init__(self, rate: FailureRate) -> None:
        self._rate = rate
        self._last: deque[bool] = deque(maxlen=rate.rows)

    def count(self, *, failed: bool) -> str | None:
        """Count an outcome; the reason to stop, if there is one now."""
        self._last.append(failed)
        count = sum(self._last) if failed and len(self._last) == self._rate.rows else 0
        if count <= self._rate.limit * self._rate.rows:
            return None
        return f"{count} of the last {units.count(self._rate.rows, 'outcome')} failed (--fail-fast)"
