"""The only place that reads time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Wall-clock time, timezone-aware UTC: for records, never for durations."""
    return datetime.now(UTC)


def seconds() -> float:
    """Monotonic seconds: for durations; the zero point means nothing."""
    return time.monotonic()
