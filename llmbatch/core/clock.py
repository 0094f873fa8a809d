"""The only place that reads time."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time by two clocks.

    `at` is the wall clock: for records, never for durations, because people and programs set it.
    `seconds` is the monotonic clock, which is never set; it is comparable within one process only,
    and None in the records of older versions.
    """

    at: datetime
    seconds: float | None

    def earlier(self, seconds: float) -> "Moment":
        """The moment so many seconds before."""
        at = self.at - timedelta(seconds=seconds)
        return Moment(at, None if self.seconds is None else self.seconds - seconds)

    def since(self, earlier: "Moment") -> float:
        """The seconds from an earlier moment of the same process to this one, never below zero:
        by the wall clock only where the monotonic one was not recorded."""
        if self.seconds is None or earlier.seconds is None:
            return max(0.0, (self.at - earlier.at).total_seconds())
        return max(0.0, self.seconds - earlier.seconds)


def now() -> datetime:
    """Wall-clock time, timezone-aware UTC: for records, never for durations."""
    return datetime.now(UTC)


def seconds() -> float:
    """Monotonic seconds: for durations; the zero point is arbitrary.

    They stand still while the machine is suspended: nothing is computed then, so that time belongs
    to no rate, and no cloud bills the devices of a suspended machine.
    """
    return time.monotonic()


def moment() -> Moment:
    """Now, by both clocks."""
    return Moment(now(), seconds())


def utc(moment: datetime) -> datetime:
    """A timezone-aware time as the naive UTC that the store keeps."""
    return moment.replace(tzinfo=None)
